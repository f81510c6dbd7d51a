// A head cell with a `.sort` button sorts the rows of its table's last body. A cell is sorted by `data-value`, a number,
// or by its text; cells without a value stay last. Numbers begin with the largest, texts with A; the rows start as given.
for (const button of document.querySelectorAll("th .sort")) {
  button.addEventListener("click", () => {
    const head = button.closest("th"), table = head.closest("table"), body = table.tBodies[table.tBodies.length - 1];
    const key = (row) => {
      const cell = row.cells[head.cellIndex];
      return "value" in cell.dataset ? (cell.dataset.value === "" ? null : Number(cell.dataset.value)) : cell.textContent;
    };
    const rows = [...body.rows], numeric = rows.some((row) => typeof key(row) === "number");
    const first = numeric ? "descending" : "ascending", second = numeric ? "ascending" : "descending";
    const order = head.getAttribute("aria-sort") === first ? second : first;
    const sign = order === "ascending" ? 1 : -1;
    rows.sort((one, other) => {
      const a = key(one), b = key(other);
      if (a === null || b === null) return (a === null) - (b === null);
      return sign * (numeric ? a - b : a.localeCompare(b, "en", { numeric: true }));
    });
    body.append(...rows);
    for (const other of table.tHead.querySelectorAll("th")) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", order);
  });
}
