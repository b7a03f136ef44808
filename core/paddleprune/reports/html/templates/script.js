(() => {
  "use strict";
  const tip = document.getElementById("tip");

  const hide = () => { tip.hidden = true; };
  const show = (target) => {
    tip.textContent = target.dataset.tip;
    tip.hidden = false;
    const at = target.getBoundingClientRect();
    const left = Math.min(Math.max(8, at.left + at.width / 2 - tip.offsetWidth / 2), innerWidth - tip.offsetWidth - 8);
    const above = at.top - tip.offsetHeight - 8;
    tip.style.left = `${Math.max(8, left)}px`;
    tip.style.top = `${above > 8 ? above : at.bottom + 8}px`;
  };
  const look = (event) => {
    const target = event.target.closest && event.target.closest("[data-tip]");
    if (target) show(target); else hide();
  };
  for (const name of ["pointerover", "focusin", "click"]) document.addEventListener(name, look);
  document.addEventListener("focusout", hide);
  document.addEventListener("scroll", hide, true);
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });

  const key = (row, column) => {
    const cell = row.cells[column];
    if (column === 0) return cell.textContent;
    return "v" in cell.dataset ? Number(cell.dataset.v.replace("inf", "Infinity")) : null;
  };
  const compare = (a, b) => {
    if (a === null || b === null) return (a === null) - (b === null);
    return typeof a === "string" ? a.localeCompare(b, undefined, { numeric: true }) : a - b;
  };
  for (const table of document.querySelectorAll("table.sorts")) {
    const body = table.tBodies[0];
    const original = [...body.rows];
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      const button = head.querySelector("button");
      if (!button) return;
      button.addEventListener("click", () => {
        const next = { none: "descending", descending: "ascending", ascending: "none" }[head.getAttribute("aria-sort")];
        heads.forEach((other) => { if (other.hasAttribute("aria-sort")) other.setAttribute("aria-sort", "none"); });
        head.setAttribute("aria-sort", next);
        const sign = next === "ascending" ? 1 : -1;
        const known = original.filter((row) => key(row, column) !== null);
        const rest = original.filter((row) => key(row, column) === null);
        const sorted = known.sort((a, b) => sign * compare(key(a, column), key(b, column))).concat(rest);
        body.append(...(next === "none" ? original : sorted));
      });
    });
  }
})();
