// The page's numbers come from `softened.js`; names are only ever set as text.
const find = (id) => document.getElementById(id);
const data = JSON.parse(find("numbers").textContent);
const unpacked = (text) => new Float32Array(Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer);
const roles = Object.keys(data.logits), [teacher, ...learners] = roles, count = data.names.length;
const allLogits = Object.fromEntries(roles.map((role) => [role, unpacked(data.logits[role])]));
const similarity = unpacked(data.similarity);
const answered = new Map(); // by number of example: whether the guess was right
const state = { number: 0, tau: data.taus[find("tau").value], alpha: Number(find("alpha")?.dataset.exact ?? 0) };

const logitsOf = (role) => Array.from(allLogits[role].subarray(state.number * count, (state.number + 1) * count));
const percent = (p) => (p > 0 && p < 0.00005 ? "<0.01" : (100 * p).toFixed(2));
const signed = (x) => (x > -0.0005 && x < 0.0005 ? "0.000" : (x > 0 ? "+" : "\u2212") + Math.abs(x).toFixed(3));
const likeliest = (logits) => [...logits.keys()].sort((one, other) => logits[other] - logits[one] || one - other);

function element(tag, text = "", properties = {}) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(text);
  return made;
}

function shownClasses() {
  if (count <= data.most_classes) return [...Array(count).keys()];
  const label = data.labels[state.number], shown = likeliest(logitsOf(teacher)).slice(0, data.of_many);
  return shown.includes(label) ? shown : [...shown.slice(0, -1), label];
}

function bar(role, size, from = 0) {
  const made = element("span", "", { className: `bar ${role}` });
  made.style.setProperty("--size", `${100 * size}%`);
  made.style.setProperty("--from", `${100 * from}%`);
  return made;
}

// A line for each class that is shown and one for the rest; columns: values over the classes by role.
function fillClasses(table, columns, written, barOf) {
  const shown = shownClasses(), label = data.labels[state.number], rows = [];
  const line = (head, valueOf) => {
    const row = element("tr");
    row.append(head, ...Object.entries(columns).map(([role, values]) => {
      const value = valueOf(values), cell = element("td");
      cell.append(element("span", written(value), { className: "value" }), barOf(role, value));
      return cell;
    }));
    rows.push(row);
  };
  for (const k of shown) {
    const head = element("th", data.names[k], { scope: "row" });
    if (k === label) head.append(" ", element("span", "label", { className: "tag" }));
    line(head, (values) => values[k]);
  }
  if (shown.length < count) {
    const rest = (values) => values.reduce((sum, value, k) => sum + (shown.includes(k) ? 0 : value), 0);
    line(element("th", `the other ${count - shown.length}`, { scope: "row" }), rest);
  }
  table.tBodies[0].replaceChildren(...rows);
}

function drawExample() {
  const probs = Object.fromEntries(roles.map((role) => [role, softened(logitsOf(role), state.tau)]));
  fillClasses(find("shares"), probs, percent, (role, p) => bar(role, p));
  const facts = {
    top: (p) => data.names[p.indexOf(Math.max(...p))],
    confidence: (p) => percent(Math.max(...p)),
    outside: (p) => percent(outsideTop(p)),
    nats: (p) => entropy(p).toFixed(3),
    bits: (p) => (entropy(p) / Math.LN2).toFixed(3),
  };
  for (const row of find("facts").tBodies[0].rows)
    roles.forEach((role, k) => { row.cells[k + 1].textContent = facts[row.dataset.fact](probs[role]); });
  if (learners.length) drawPulls();
}

function drawPulls() {
  const label = data.labels[state.number], taught = logitsOf(teacher);
  const pulls = Object.fromEntries(learners.map((role) =>
    [role, gradient(logitsOf(role), taught, label, state.tau, state.alpha).map((slope) => -slope)]));
  const largest = Math.max(...Object.values(pulls).flat().map(Math.abs), 1e-9);
  fillClasses(find("pulls"), pulls, signed, (role, pull) => {
    const size = Math.abs(pull) / largest / 2;
    return bar(`${role} centred`, size, pull < 0 ? 0.5 - size : 0.5);
  });
}

// The quiz: which class but the label has the teacher's largest logit? That does not depend on tau.
function wrongClasses() {
  return likeliest(logitsOf(teacher)).filter((k) => k !== data.labels[state.number]);
}

function choices() {
  const wrong = wrongClasses();
  if (count <= data.most_classes) return wrong.sort((one, other) => one - other);
  return [0, 1, 2, wrong.length >> 1, wrong.length - 1].map((rank) => wrong[rank]).sort((one, other) => one - other);
}

function ask() {
  const label = data.names[data.labels[state.number]];
  find("question").replaceChildren("Labelled ", element("b", label), ". Which wrong class does the teacher lean to most?");
  find("answers").replaceChildren(...choices().map((k) => {
    const button = element("button", data.names[k], { type: "button" });
    button.addEventListener("click", () => answer(k));
    button.dataset.k = k;
    return button;
  }));
  find("verdict").textContent = "";
  showOrHide();
}

function answer(guess) {
  const [right] = wrongClasses(), p = softened(logitsOf(teacher), state.tau), cold = softened(logitsOf(teacher), 1);
  if (!answered.has(state.number)) answered.set(state.number, guess === right);
  const shares = (k) => `${percent(p[k])} % at tau ${state.tau}` + (state.tau === 1 ? "" : `, ${percent(cold[k])} % at tau 1`);
  const opening = guess === right ? "Yes: " : `Not ${data.names[guess]} (${shares(guess)}): the teacher leans to `;
  find("verdict").textContent = `${opening}${data.names[right]} (${shares(right)}).`;
  showOrHide();
}

function showOrHide() {
  const told = answered.has(state.number) || find("tell").checked, [right] = wrongClasses();
  find("told").classList.toggle("veiled", !told);
  for (const button of find("answers").children) button.classList.toggle("right", told && Number(button.dataset.k) === right);
  const hits = [...answered.values()].filter(Boolean).length;
  find("score").textContent = answered.size ? `${hits} of ${answered.size} guessed` : "";
}

// The teacher's view of the classes, kept at some temperatures; the nearest is shown.
function drawAlike() {
  const table = find("alike");
  if (!table) return;
  const gap = (k) => Math.abs(Math.log(data.kept_taus[k] / state.tau));
  const nearest = data.kept_taus.reduce((best, _, k) => (gap(k) < gap(best) ? k : best), 0);
  const matrix = similarity.subarray(nearest * count * count, (nearest + 1) * count * count);
  find("alike-tau").textContent = data.kept_taus[nearest];
  let largest = 1e-9;
  matrix.forEach((mean, k) => { if (Math.floor(k / count) !== k % count && mean > largest) largest = mean; });
  [...table.tBodies[0].rows].forEach((row, i) => [...row.cells].slice(1).forEach((cell, j) => {
    const mean = matrix[i * count + j], written = Number.isNaN(mean) ? "\u2013" : (100 * mean).toFixed(count > 12 ? 0 : 1);
    if (table.className === "dense") cell.title = `${data.names[i]} seen as ${data.names[j]}: ${written} %`;
    else cell.textContent = written;
    cell.style.setProperty("--heat", i === j || Number.isNaN(mean) ? "0%" : `${100 * Math.sqrt(mean / largest)}%`);
  }));
  const both = [];
  for (let i = 0; i < count; i++)
    for (let j = i + 1; j < count; j++) both.push([(matrix[i * count + j] + matrix[j * count + i]) / 2, i, j]);
  const alike = both.filter(([mean]) => mean >= 0).sort(([one], [other]) => other - one).slice(0, 10);
  find("pairs").replaceChildren(...alike.map(([mean, i, j]) =>
    element("li", `${data.names[i]} and ${data.names[j]}: ${percent(mean)}\u00a0%`)));
}

function makeAlike() {
  const table = find("alike");
  if (!table) return;
  if (count > 25) table.className = "dense";
  const heads = element("tr", element("td"));
  heads.append(...data.names.map((name) => element("th", element("span", name), { scope: "col", title: name })));
  table.tHead.append(heads);
  table.tBodies[0].append(...data.names.map((name, i) => {
    const row = element("tr", element("th", name, { scope: "row", title: name }));
    row.append(...data.names.map((_, j) => element("td", "", { className: i === j ? "own" : "" })));
    return row;
  }));
}

function choose(number) {
  const input = document.querySelector(`[name="example"][value="${number}"]`), thumbnail = input.nextElementSibling;
  input.checked = true;
  state.number = number;
  Object.assign(find("picture"), { src: thumbnail.src, alt: thumbnail.alt });
  find("which").textContent = `Test example ${data.ids[number]}. ${data.why[number]}.`;
  ask();
  drawExample();
}

function turn() {
  for (const place of document.querySelectorAll(".tau-now, #tau-now")) place.textContent = state.tau;
  for (const place of document.querySelectorAll(".alpha-now, #alpha-now")) place.textContent = state.alpha;
  find("tau").setAttribute("aria-valuetext", state.tau);
  drawExample();
  drawAlike();
}

find("tau").addEventListener("input", (event) => { state.tau = data.taus[event.target.value]; turn(); });
find("alpha")?.addEventListener("input", (event) => { state.alpha = Number(event.target.value); turn(); });
find("tell").addEventListener("change", showOrHide);
find("next").addEventListener("click", () => choose((state.number + 1) % data.ids.length));
for (const input of document.querySelectorAll('[name="example"]'))
  input.addEventListener("change", () => choose(Number(input.value)));
makeAlike();
choose(0);
turn();
