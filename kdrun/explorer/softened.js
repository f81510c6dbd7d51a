// The arithmetic of kdrun/metrics/softened.py for one example; a test holds that both give the same.
// logits, probs: arrays over the classes; label: a class; tau > 0; alpha in [0, 1].
const softened = (logits, tau) => {
  const top = Math.max(...logits), powers = logits.map((z) => Math.exp((z - top) / tau));
  const sum = powers.reduce((total, power) => total + power);
  return powers.map((power) => power / sum);
};
const entropy = (probs) => probs.reduce((total, p) => total - (p > 0 ? p * Math.log(p) : 0), 0); // nats
const outsideTop = (probs) => {
  const top = probs.indexOf(Math.max(...probs));
  return probs.reduce((total, p, k) => total + (k === top ? 0 : p), 0);
};
const gradient = (student, teacher, label, tau, alpha) => {
  const p = softened(student, 1), own = softened(student, tau), taught = softened(teacher, tau);
  return p.map((_, k) => (1 - alpha) * (p[k] - (k === label)) + alpha * tau * (own[k] - taught[k]));
};
