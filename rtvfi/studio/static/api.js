// What the server is asked; addresses are relative, so the token in this page's own is kept.

async function asked(path, options) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new Error("The studio has ended: start it again.");
  }
  if (!answer.ok) {
    let said = {};
    try { said = await answer.json(); } catch { /* no words */ }
    throw new Error([said.error || `refused (${answer.status})`, said.hint].filter(Boolean).join(" \u2014 "));
  }
  return answer;
}

const posted = (path, body) => asked(path, { method: "POST", body: JSON.stringify(body) });

export const state = async () => (await asked("state")).json();
export const choose = async (which, at) => (await posted("film/choose", { which, at })).json();
export const curve = async (points) => (await posted("curve", { points })).json();
export const begin = async (what, wish) => (await posted(what, wish)).json();
export const job = async (id) => (await asked(`job/${id}`)).json();
export const cancel = (id) => asked(`job/${id}`, { method: "DELETE" });
export const cutout = async (box) => createImageBitmap(await (await posted("cutout", { box })).blob());

export async function upload(which, file) {
  const path = `picture/${which}?name=${encodeURIComponent(file.name)}`;
  return (await asked(path, { method: "POST", body: file })).json();
}

export async function frame(at) {
  const answer = await asked(`film/frame?at=${encodeURIComponent(at)}&width=320`);
  return {
    image: URL.createObjectURL(await answer.blob()),
    time: answer.headers.get("X-Time"),
    end: answer.headers.get("X-End"),
  };
}

export function stayAlive(ended) {
  const speak = () => asked("alive", { method: "POST" }).catch((error) => ended(error));
  setInterval(speak, 20000);
  addEventListener("pageshow", speak);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) speak(); });
  addEventListener("pagehide", () => navigator.sendBeacon("bye"));
}
