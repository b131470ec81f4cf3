// The first picture with the masks on it, and the tools that draw them. A mask is a canvas of the
// picture's size, white where the object is.

import { cutout } from "./api.js";

const tints = new WeakMap();

function canvasOf(width, height) {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  return canvas;
}

function tinted(mask, colour) {
  const known = tints.get(mask);
  if (known?.colour === colour) return known.canvas;
  const canvas = canvasOf(mask.width, mask.height);
  const context = canvas.getContext("2d");
  context.drawImage(mask, 0, 0);
  context.globalCompositeOperation = "source-in";
  context.fillStyle = colour;
  context.fillRect(0, 0, canvas.width, canvas.height);
  tints.set(mask, { colour, canvas });
  return canvas;
}

export function pngOf(mask) {
  const canvas = canvasOf(mask.width, mask.height);
  const context = canvas.getContext("2d");
  context.fillStyle = "#000";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(mask, 0, 0);
  return canvas.toDataURL("image/png");
}

export class Stage {
  tool = "brush";
  share = 0.06; // of the brush, of the picture's longer side
  #picture = null;
  #working = null; // the mask being drawn
  #from = null; // where a stroke or box is
  #points = []; // of the polygon
  #cross = null; // where the keyboard is

  constructor(canvas, doc, say) {
    this.canvas = canvas;
    this.doc = doc;
    this.say = say;
    doc.addEventListener("change", () => this.draw());
    canvas.addEventListener("pointerdown", (event) => this.#down(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    canvas.addEventListener("pointerup", (event) => this.#up(event));
    canvas.addEventListener("pointercancel", () => this.giveUp());
    canvas.addEventListener("dblclick", () => this.closePolygon());
    canvas.addEventListener("keydown", (event) => this.#key(event));
  }

  show(picture) {
    const { canvas } = this;
    const isNew = canvas.width !== picture.width || canvas.height !== picture.height;
    if (isNew) {
      canvas.width = picture.width;
      canvas.height = picture.height;
    }
    this.#picture = picture;
    this.giveUp();
    if (isNew) this.doc.forgetMasks();
    else this.draw();
  }

  use(tool) {
    this.giveUp();
    this.tool = tool;
  }

  giveUp() {
    this.#working = this.#from = null;
    this.#points = [];
    this.draw();
  }

  draw() {
    const context = this.canvas.getContext("2d");
    if (!this.#picture) return;
    context.globalAlpha = 1;
    context.drawImage(this.#picture, 0, 0);
    for (const object of [...this.doc.objects].reverse()) {
      const isCurrent = object.id === this.doc.selected;
      const mask = isCurrent && this.#working ? this.#working : object.mask;
      if (!mask) continue;
      if (mask === this.#working) tints.delete(mask);
      context.globalAlpha = isCurrent ? 0.55 : 0.3;
      context.drawImage(tinted(mask, object.colour), 0, 0);
    }
    context.globalAlpha = 1;
    this.#drawMarks(context);
  }

  #drawMarks(context) {
    const unit = this.canvas.width / Math.max(1, this.canvas.clientWidth);
    context.lineWidth = 2 * unit;
    const stroke = (path) => {
      context.strokeStyle = "#000";
      context.setLineDash([]);
      context.stroke(path);
      context.strokeStyle = "#fff";
      context.setLineDash([6 * unit, 6 * unit]);
      context.stroke(path);
      context.setLineDash([]);
    };
    if (this.tool === "box" && this.#from?.to) {
      const { x, y, to } = this.#from;
      const path = new Path2D();
      path.rect(Math.min(x, to.x), Math.min(y, to.y), Math.abs(to.x - x), Math.abs(to.y - y));
      stroke(path);
    }
    if (this.#points.length) {
      const path = new Path2D();
      this.#points.forEach((p, i) => (i ? path.lineTo(p.x, p.y) : path.moveTo(p.x, p.y)));
      if (this.#cross) path.lineTo(this.#cross.x, this.#cross.y);
      stroke(path);
      const dot = new Path2D();
      dot.arc(this.#points[0].x, this.#points[0].y, 5 * unit, 0, 7);
      stroke(dot);
    }
    if (this.#cross && document.activeElement === this.canvas) {
      const { x, y } = this.#cross;
      const path = new Path2D(`M${x - 12 * unit} ${y}H${x + 12 * unit}M${x} ${y - 12 * unit}V${y + 12 * unit}`);
      stroke(path);
    }
  }

  #at(event) {
    const box = this.canvas.getBoundingClientRect();
    return {
      x: ((event.clientX - box.left) / box.width) * this.canvas.width,
      y: ((event.clientY - box.top) / box.height) * this.canvas.height,
    };
  }

  #down(event) {
    if (!this.#picture || event.button) return;
    this.#cross = null;
    this.canvas.setPointerCapture(event.pointerId);
    this.#begin(this.#at(event));
  }

  #move(event) {
    if (!this.#from || !event.buttons) return;
    for (const one of event.getCoalescedEvents?.() ?? [event]) this.#go(this.#at(one));
    this.draw();
  }

  #up(event) {
    if (this.#from) this.#end(this.#at(event));
  }

  #object() {
    if (!this.doc.current) this.doc.add();
    return this.doc.current;
  }

  #copy(mask) {
    const canvas = canvasOf(this.canvas.width, this.canvas.height);
    if (mask) canvas.getContext("2d").drawImage(mask, 0, 0);
    return canvas;
  }

  #begin(point) {
    if (this.tool === "polygon") {
      this.#addCorner(point);
      return;
    }
    this.#from = { ...point, to: null };
    if (this.tool === "box") return;
    this.#working = this.#copy(this.#object().mask);
    this.#go(point);
    this.draw();
  }

  #go(point) {
    if (this.tool === "box") {
      this.#from.to = point;
      return;
    }
    const context = this.#working.getContext("2d");
    context.globalCompositeOperation = this.tool === "eraser" ? "destination-out" : "source-over";
    context.strokeStyle = "#fff";
    context.lineCap = context.lineJoin = "round";
    context.lineWidth = Math.max(1, this.share * Math.max(this.canvas.width, this.canvas.height));
    context.beginPath();
    context.moveTo(this.#from.x, this.#from.y);
    context.lineTo(point.x + 0.01, point.y);
    context.stroke();
    Object.assign(this.#from, point);
  }

  async #end(point) {
    const from = this.#from;
    if (this.tool === "box") {
      this.#from = null;
      this.draw();
      const width = Math.abs(point.x - from.x);
      const height = Math.abs(point.y - from.y);
      if (width < 2 || height < 2) return;
      await this.#cutOut([Math.min(from.x, point.x), Math.min(from.y, point.y), width, height]);
      return;
    }
    this.#go(point);
    this.#commit(this.#working);
  }

  #commit(mask) {
    this.#from = this.#working = null;
    tints.delete(mask);
    this.doc.change(this.#object().id, { mask });
  }

  async #cutOut(box) {
    this.say("Looking for the object \u2026");
    try {
      const bitmap = await cutout(box);
      const grey = this.#copy(null);
      const context = grey.getContext("2d");
      context.drawImage(bitmap, 0, 0);
      const codes = context.getImageData(0, 0, grey.width, grey.height);
      for (let i = 0; i < codes.data.length; i += 4) {
        codes.data[i + 3] = codes.data[i];
        codes.data[i] = codes.data[i + 1] = codes.data[i + 2] = 255;
      }
      context.putImageData(codes, 0, 0);
      const mask = this.#copy(this.#object().mask);
      mask.getContext("2d").drawImage(grey, 0, 0);
      this.#commit(mask);
      this.say("");
    } catch (error) {
      this.say(error.message, true);
    }
  }

  #addCorner(point) {
    const first = this.#points[0];
    const near = 10 * (this.canvas.width / Math.max(1, this.canvas.clientWidth));
    if (first && this.#points.length > 2 && Math.hypot(first.x - point.x, first.y - point.y) < near) {
      this.closePolygon();
      return;
    }
    this.#points.push(point);
    this.draw();
  }

  closePolygon() {
    const points = this.#points;
    this.#points = [];
    if (points.length < 3) {
      this.draw();
      return;
    }
    const mask = this.#copy(this.#object().mask);
    const context = mask.getContext("2d");
    context.fillStyle = "#fff";
    context.beginPath();
    points.forEach((p, i) => (i ? context.lineTo(p.x, p.y) : context.moveTo(p.x, p.y)));
    context.fill();
    this.#commit(mask);
  }

  #key(event) {
    if (!this.#picture || event.ctrlKey || event.metaKey || event.altKey) return;
    const step = event.shiftKey ? 1 : Math.max(1, Math.round(this.canvas.width / 60));
    const by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    this.#cross ??= { x: this.canvas.width / 2, y: this.canvas.height / 2 };
    if (by) {
      this.#cross = {
        x: Math.min(this.canvas.width, Math.max(0, this.#cross.x + by[0] * step)),
        y: Math.min(this.canvas.height, Math.max(0, this.#cross.y + by[1] * step)),
      };
      if (this.#from) this.#go(this.#cross);
      this.draw();
    } else if (event.key === "Enter") {
      if (this.#from) this.#end({ ...this.#cross });
      else this.#begin({ ...this.#cross });
    } else if (event.key === "c" && this.#points.length) {
      this.closePolygon();
    } else if (event.key === "Escape") {
      this.giveUp();
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }
}
