// A definition is shown by pressing its button, which needs no script; here it also comes on hover and on focus,
// beside its button. Escape and a press elsewhere close it, as for every popover.
for (const button of document.querySelectorAll(".define")) {
  const meaning = button.popoverTargetElement;
  let leaving;
  const show = () => {
    clearTimeout(leaving);
    if (!meaning.matches(":popover-open")) meaning.showPopover();
    const place = button.getBoundingClientRect(), size = meaning.getBoundingClientRect();
    const left = Math.min(place.left, document.documentElement.clientWidth - size.width - 8);
    const below = place.bottom + 4 + size.height < window.innerHeight;
    const top = below ? place.bottom + 4 : Math.max(4, place.top - 4 - size.height);
    Object.assign(meaning.style, { margin: 0, inset: "auto", left: `${Math.max(8, left)}px`, top: `${top}px` });
  };
  const hide = () => { leaving = setTimeout(() => meaning.matches(":popover-open") && meaning.hidePopover(), 150); };
  const byMouse = (act) => (event) => event.pointerType === "mouse" && act();
  button.addEventListener("focus", () => button.matches(":focus-visible") && show());
  button.addEventListener("blur", hide);
  button.addEventListener("click", show);
  button.addEventListener("pointerenter", byMouse(show));
  button.addEventListener("pointerleave", byMouse(hide));
  meaning.addEventListener("pointerenter", byMouse(() => clearTimeout(leaving)));
  meaning.addEventListener("pointerleave", byMouse(hide));
}
