// The page: its parts put together, the list of objects, and keys.

import * as api from "./api.js";
import { CurveEditor } from "./curve.js";
import { Document } from "./document.js";
import { Pictures } from "./film.js";
import { Making } from "./making.js";
import { Stage } from "./stage.js";

const $ = (id) => document.getElementById(id);

function say(text, isWrong = false) {
  $("message").textContent = text;
  $("message").classList.toggle("wrong", isWrong);
}

const doc = new Document();
const stage = new Stage($("stage"), doc, say);
new CurveEditor($("curve"), doc, $("pace-of"));
const making = new Making(doc, say);
const pictures = new Pictures(update, say);
let versions = [0, 0];

// What the server has; pictures are fetched anew where they changed.
async function update(state) {
  making.offer(state.models);
  for (const which of [0, 1]) {
    if (!state.versions[which] || state.versions[which] === versions[which]) continue;
    const image = $(`end${which}`);
    image.src = `picture/${which}?version=${state.versions[which]}`;
    await image.decode();
    image.hidden = false;
    if (which === 0) stage.show(await createImageBitmap(image));
  }
  versions = state.versions;
  making.later();
}

// --- objects -----------------------------------------------------------------------------------

function row(object) {
  const item = document.createElement("li");
  item.classList.toggle("selected", object.id === doc.selected);
  item.dataset.id = object.id;
  const swatch = document.createElement("button");
  swatch.className = "swatch";
  swatch.style.background = object.colour;
  swatch.title = `work on ${object.name}`;
  swatch.setAttribute("aria-pressed", String(object.id === doc.selected));
  swatch.addEventListener("click", () => doc.select(object.id));
  const name = document.createElement("input");
  name.type = "text";
  name.value = object.name;
  name.setAttribute("aria-label", "Name");
  name.addEventListener("focus", () => {
    if (doc.selected === object.id) return;
    doc.select(object.id);
    $("list").querySelector(`[data-id="${object.id}"] input`)?.focus(); // the list was made anew
  });
  name.addEventListener("change", () => doc.change(object.id, { name: name.value }));
  const remove = document.createElement("button");
  remove.textContent = "\u00d7";
  remove.title = `remove ${object.name}`;
  remove.addEventListener("click", () => doc.remove(object.id));
  item.append(swatch, name, remove);
  return item;
}

let listed = "";
doc.addEventListener("change", () => {
  $("undo").disabled = !doc.canUndo;
  $("redo").disabled = !doc.canRedo;
  const now = JSON.stringify([doc.selected, doc.objects.map((o) => [o.id, o.name])]);
  if (now === listed) return;
  listed = now;
  $("list").replaceChildren(...doc.objects.map(row));
});

// --- buttons and keys --------------------------------------------------------------------------

function useTool(tool) {
  stage.use(tool);
  for (const button of $("tools").children) button.setAttribute("aria-checked", String(button.dataset.tool === tool));
}

function resize(by) {
  const size = $("brush-size");
  size.value = Number(size.value) + by;
  stage.share = Number(size.value) / 100;
}

const TOOLS = { b: "brush", e: "eraser", r: "box", p: "polygon" };
const KEYS = {
  n: () => doc.add(),
  v: () => making.preview(),
  " ": () => making.toggle(),
  "[": () => resize(-1),
  "]": () => resize(1),
  c: () => stage.closePolygon(),
  Enter: () => stage.closePolygon(),
  Escape: () => stage.giveUp(),
  "?": () => $("help-button").click(),
};

addEventListener("keydown", (event) => {
  const isField = event.target.matches("input[type=text], input[type=number], select");
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if ((event.ctrlKey || event.metaKey) && (key === "z" || key === "y") && !isField) {
    if (key === "y" || event.shiftKey) doc.redo();
    else doc.undo();
  } else if (event.ctrlKey || event.metaKey || event.altKey || isField) {
    return;
  } else if (key === "Delete" && event.shiftKey && doc.selected) {
    doc.remove(doc.selected);
  } else if (TOOLS[key]) {
    useTool(TOOLS[key]);
  } else if (KEYS[key] && !((key === " " || key === "Enter") && event.target.matches("button, label, input"))) {
    KEYS[key]();
  } else {
    return;
  }
  event.preventDefault();
});

for (const button of $("tools").children) button.addEventListener("click", () => useTool(button.dataset.tool));
$("brush-size").addEventListener("input", () => resize(0));
$("clear").addEventListener("click", () => { if (doc.current?.mask) doc.change(doc.selected, { mask: null }); });
$("add").addEventListener("click", () => doc.add());
$("undo").addEventListener("click", () => doc.undo());
$("redo").addEventListener("click", () => doc.redo());
$("help-button").addEventListener("click", (event) => {
  $("help").hidden = !$("help").hidden;
  event.currentTarget.setAttribute("aria-expanded", String(!$("help").hidden));
});

api.stayAlive((error) => say(error.message, true));
try {
  const state = await api.state();
  pictures.begin(state.film);
  await update(state);
} catch (error) {
  say(error.message, true);
}
