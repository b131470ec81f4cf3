// The curve of an object: time to the right, way upwards. Its points are dragged, or moved by keys.

import { curve as sampled } from "./api.js";

const SVG = "http://www.w3.org/2000/svg";
const LEAST = 0.02; // between two points in time

function element(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

export class CurveEditor {
  #path = element("path", { class: "path" });
  #dots = element("g", {});
  #asked = 0;
  #dragged = null;

  constructor(svg, doc, label) {
    this.svg = svg;
    this.doc = doc;
    this.label = label;
    svg.append(element("path", { class: "grid", d: "M0 0H100V100H0ZM0 50H100M50 0V100M0 100L100 0" }), this.#path, this.#dots);
    doc.addEventListener("change", () => this.show());
    svg.addEventListener("pointerdown", (event) => this.#down(event));
    svg.addEventListener("pointermove", (event) => this.#move(event));
    for (const name of ["pointerup", "pointercancel"]) svg.addEventListener(name, () => { this.#dragged = null; });
    svg.addEventListener("keydown", (event) => this.#key(event));
    this.show();
  }

  async show() {
    const object = this.doc.current;
    this.label.textContent = object ? `of ${object.name}` : "(draw an object first)";
    const points = object?.curve ?? [];
    const focused = [...this.#dots.children].indexOf(document.activeElement);
    while (this.#dots.children.length > points.length) this.#dots.lastChild.remove();
    while (this.#dots.children.length < points.length) this.#dots.append(element("circle", { r: 4, tabindex: 0, role: "slider" }));
    points.forEach(([x, y], i) => {
      const dot = this.#dots.children[i];
      dot.setAttribute("cx", 100 * x);
      dot.setAttribute("cy", 100 - 100 * y);
      dot.setAttribute("aria-label", `Point ${i + 1} at ${Math.round(100 * x)} % of the time`);
      dot.setAttribute("aria-valuenow", Math.round(100 * y));
    });
    if (focused >= 0) this.#dots.children[Math.min(focused, points.length - 1)]?.focus();
    if (!points.length) {
      this.#path.setAttribute("d", "");
      return;
    }
    const number = ++this.#asked;
    let way;
    try { way = await sampled(points); } catch { return; }
    if (number !== this.#asked) return;
    this.#path.setAttribute("d", way.map((y, k) => `${k ? "L" : "M"}${(100 * k) / (way.length - 1)} ${100 - 100 * y}`).join(""));
  }

  #at(event) {
    const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(this.svg.getScreenCTM().inverse());
    return [point.x / 100, 1 - point.y / 100];
  }

  #down(event) {
    const object = this.doc.current;
    if (!object) return;
    let index = [...this.#dots.children].indexOf(event.target);
    let isFirst = true;
    if (index < 0) {
      index = this.#add(this.#at(event));
      isFirst = false;
    }
    if (index < 0) return;
    this.svg.setPointerCapture(event.pointerId);
    this.#dots.children[index].focus();
    this.#dragged = { index, isFirst };
    event.preventDefault();
  }

  #move(event) {
    if (!this.#dragged) return;
    this.#put(this.#dragged.index, this.#at(event), this.#dragged.isFirst);
    this.#dragged.isFirst = false;
  }

  #put(index, [x, y], isFirst) {
    const points = this.doc.current.curve.map((p) => [...p]);
    const last = points.length - 1;
    const between = (v, low, high) => Math.min(high, Math.max(low, v));
    if (index === 0 || index === last) points[index][1] = between(y, 0, 1);
    else points[index] = [between(x, points[index - 1][0] + LEAST, points[index + 1][0] - LEAST), between(y, 0, 1)];
    this.doc.change(this.doc.selected, { curve: points }, isFirst);
  }

  #add([x, y]) {
    const points = this.doc.current.curve;
    const index = points.findIndex((p) => p[0] > x);
    if (index < 1 || x - points[index - 1][0] < LEAST || points[index][0] - x < LEAST) return -1;
    const more = points.toSpliced(index, 0, [x, Math.min(1, Math.max(0, y))]);
    this.doc.change(this.doc.selected, { curve: more });
    return index;
  }

  #addInWidestGap() {
    const points = this.doc.current.curve;
    const gaps = points.slice(1).map((p, i) => p[0] - points[i][0]);
    const i = gaps.indexOf(Math.max(...gaps));
    const index = this.#add([(points[i][0] + points[i + 1][0]) / 2, (points[i][1] + points[i + 1][1]) / 2]);
    this.#dots.children[index]?.focus();
  }

  #key(event) {
    const object = this.doc.current;
    if (!object || event.ctrlKey || event.metaKey || event.altKey) return;
    const index = [...this.#dots.children].indexOf(event.target);
    const step = event.shiftKey ? 0.01 : 0.05;
    const by = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] }[event.key];
    if (index >= 0 && by) {
      const [x, y] = object.curve[index];
      this.#put(index, [x + by[0], y + by[1]], true);
    } else if (event.key === "Delete" && index > 0 && index < object.curve.length - 1 && !event.shiftKey) {
      this.doc.change(object.id, { curve: object.curve.toSpliced(index, 1) });
    } else if (event.key === "Enter" && event.target === this.svg) {
      this.#addInWidestGap();
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }
}
