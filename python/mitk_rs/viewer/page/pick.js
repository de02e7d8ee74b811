"use strict";
// Pick seeds. The page gets values of slices and projections as uint16 codes (value = offset + scale * code), in the order
// of the voxels, and does the rest itself: window and level, turning, cross-hair, seeds. A server sends the values and
// computes the level set; in the one-file page the values are in the element "scan" and there is no level set.

const AXES = ["x", "y", "z"];
const COLOURS = { source: "#ff4d6d", target: "#4da3ff", cross: "rgba(255, 220, 90, 0.75)" };
const KINDS = ["source", "target"];
const byId = (id) => document.getElementById(id);
const embedded = byId("scan");
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

let scan = null;
let volume = null; // codes of the whole scan, in the one-file page only
const views = [];
const state = { cursor: [0, 0, 0], window: 1, level: 0, mode: "look", seeds: { source: [], target: [] }, order: [] };
const slices = new Map();
let masks = { slices: [], projections: [], generation: -1 };
let pendingPreview = null;
let frame = 0;
let finished = false;

// Geometry: which axes a picture has, and how it is turned

const planeAxes = (axis) => [0, 1, 2].filter((other) => other !== axis);

function turnedSize(view) {
  const [columns, rows] = planeAxes(view.axis).map((axis) => scan.size[axis]);
  return view.turn.swap ? [rows, columns] : [columns, rows];
}

// Column and row of the values for a pixel of the turned picture; it is its own inverse but for the swap.
function toValues(view, u, v) {
  const [width, height] = turnedSize(view);
  if (view.turn.flipColumns) u = width - 1 - u;
  if (view.turn.flipRows) v = height - 1 - v;
  return view.turn.swap ? [v, u] : [u, v];
}

function toPixel(view, column, row) {
  const [width, height] = turnedSize(view);
  let [u, v] = view.turn.swap ? [row, column] : [column, row];
  if (view.turn.flipColumns) u = width - 1 - u;
  if (view.turn.flipRows) v = height - 1 - v;
  return [u, v];
}

// Where the turned picture is on its canvas: left, top and pixels of the canvas for each of its own.
function placement(view) {
  const [width, height] = turnedSize(view);
  const [mmX, mmY] = view.turn.pixel;
  const fit = Math.min(view.canvas.width / (width * mmX), view.canvas.height / (height * mmY));
  const [stepX, stepY] = [mmX * fit, mmY * fit];
  return [(view.canvas.width - width * stepX) / 2, (view.canvas.height - height * stepY) / 2, stepX, stepY];
}

// Data

async function fetchCodes(address) {
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(await answer.text());
  return new Uint16Array(await answer.arrayBuffer());
}

function sliceOfVolume(axis, index) {
  const [nx, ny, nz] = scan.size;
  if (axis === 2) return volume.subarray(index * nx * ny, (index + 1) * nx * ny);
  const [columns, rows] = axis === 1 ? [nx, nz] : [ny, nz];
  const found = new Uint16Array(columns * rows);
  for (let row = 0; row < rows; row += 1) {
    for (let column = 0; column < columns; column += 1) {
      found[row * columns + column] =
        axis === 1 ? volume[(row * ny + index) * nx + column] : volume[(row * ny + column) * nx + index];
    }
  }
  return found;
}

function projectVolume(axis) {
  const [columns, rows] = planeAxes(axis).map((other) => scan.size[other]);
  const both = new Uint16Array(2 * columns * rows);
  const [values, depth] = [both.subarray(0, columns * rows), both.subarray(columns * rows)];
  for (let index = 0; index < scan.size[axis]; index += 1) {
    const codes = sliceOfVolume(axis, index);
    for (let n = 0; n < codes.length; n += 1) {
      if (index === 0 || codes[n] > values[n]) {
        values[n] = codes[n];
        depth[n] = index;
      }
    }
  }
  return both;
}

async function loadSlice(axis, index) {
  const key = `${axis}:${index}`;
  if (!slices.has(key)) {
    if (slices.size > 90) slices.delete(slices.keys().next().value);
    slices.set(key, volume ? sliceOfVolume(axis, index) : fetchCodes(`slice?axis=${axis}&index=${index}`));
  }
  return slices.get(key);
}

async function showSlices() {
  for (const view of views.filter((one) => !one.flat)) {
    const index = state.cursor[view.axis];
    view.slider.value = index;
    view.label.textContent = `${AXES[view.axis]} ${index}`;
    loadSlice(view.axis, index).then((codes) => {
      if (state.cursor[view.axis] !== index) return;
      view.codes = codes;
      view.shownIndex = index;
      showPlace();
      redraw();
    }, showProblem);
  }
  showPlace();
  redraw();
  if (scan.files && masks.generation >= 0) showMasks();
}

async function showMasks() {
  const [i, j, k] = state.cursor;
  const { generation } = masks;
  const answer = await fetch(`masks?generation=${generation}&i=${i}&j=${j}&k=${k}`);
  const found = await answer.json();
  if (!found.slices || generation !== masks.generation || state.cursor.some((n, axis) => n !== [i, j, k][axis])) return;
  masks.slices = found.slices.map(unpack);
  redraw();
}

function unpack(text) {
  const bytes = atob(text);
  return (n) => (bytes.charCodeAt(n >> 3) >> (7 - (n & 7))) & 1;
}

function valueAt([i, j, k]) {
  if (volume) return valueOf(volume[(k * scan.size[1] + j) * scan.size[0] + i]);
  const view = views.find((one) => !one.flat && one.axis === 2);
  if (!view.codes || view.shownIndex !== k) return null;
  return valueOf(view.codes[j * scan.size[0] + i]);
}

const valueOf = (code) => scan.offset + scan.scale * code;
const shown = (value) => (value === null || value === undefined ? "" : String(Number(value.toPrecision(6))));

// Drawing

function redraw() {
  if (!frame) frame = requestAnimationFrame(() => { frame = 0; views.forEach(draw); });
}

function draw(view) {
  const ratio = window.devicePixelRatio || 1;
  const side = Math.max(1, Math.round(view.canvas.clientWidth * ratio));
  if (view.canvas.width !== side) view.canvas.width = view.canvas.height = side;
  const context = view.canvas.getContext("2d");
  context.fillStyle = "#000";
  context.fillRect(0, 0, side, side);
  if (!view.codes) return;
  const [width, height] = turnedSize(view);
  const [left, top, stepX, stepY] = placement(view);
  paint(view, width, height);
  context.imageSmoothingEnabled = stepX < 4 || view.flat;
  context.drawImage(view.buffer, left, top, width * stepX, height * stepY);
  drawSeeds(view, context, ratio);
  drawCross(view, context, side);
  drawLetters(view, context, side, ratio);
}

// Grey values, voxels within the thresholds tinted, the outline of the level set.
function paint(view, width, height) {
  if (view.buffer.width !== width || view.buffer.height !== height) {
    view.buffer.width = width;
    view.buffer.height = height;
  }
  const context = view.buffer.getContext("2d");
  const image = context.createImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer);
  const [columns, rows] = planeAxes(view.axis).map((axis) => scan.size[axis]);
  const low = state.level - state.window / 2;
  const factor = 255 / Math.max(state.window, 1e-12);
  const [lower, upper] = [threshold("lower"), threshold("upper")];
  const tint = byId("tint").checked && (lower !== null || upper !== null) && !view.flat;
  const inside = view.flat ? masks.projections[view.axis] : masks.slices[view.axis];
  // Both are linear in u and v, so the steps of the index are constant.
  const indexAt = (u, v) => { const [column, row] = toValues(view, u, v); return row * columns + column; };
  const [first, stepU, stepV] = [indexAt(0, 0), indexAt(1, 0) - indexAt(0, 0), indexAt(0, 1) - indexAt(0, 0)];
  for (let v = 0; v < height; v += 1) {
    for (let u = 0; u < width; u += 1) {
      const n = first + u * stepU + v * stepV;
      const value = valueOf(view.codes[n]);
      const grey = clamp(Math.round((value - low) * factor), 0, 255);
      let colour = 0xff000000 | (grey << 16) | (grey << 8) | grey;
      if (tint && (lower === null || value >= lower) && (upper === null || value <= upper)) {
        colour = 0xff000000 | ((grey * 0.55) << 16) | (Math.min(255, grey * 0.8 + 25) << 8) | Math.min(255, grey + 50);
      }
      if (inside && inside(n) && onEdge(inside, n, columns, rows)) colour = 0xff5aff5a;
      pixels[v * width + u] = colour;
    }
  }
  context.putImageData(image, 0, 0);
}

function onEdge(inside, n, columns, rows) {
  const column = n % columns;
  const row = (n - column) / columns;
  return column === 0 || row === 0 || column === columns - 1 || row === rows - 1 ||
    !inside(n - 1) || !inside(n + 1) || !inside(n - columns) || !inside(n + columns);
}

function onCanvas(view, point) {
  const [left, top, stepX, stepY] = placement(view);
  const [column, row] = planeAxes(view.axis).map((axis) => point[axis]);
  const [u, v] = toPixel(view, column, row);
  return [left + (u + 0.5) * stepX, top + (v + 0.5) * stepY];
}

function drawCross(view, context, side) {
  const [x, y] = onCanvas(view, state.cursor).map((n) => Math.round(n) + 0.5);
  const gap = side / 40;
  context.strokeStyle = COLOURS.cross;
  context.lineWidth = 1;
  context.beginPath();
  for (const [a, b, c, d] of [[0, y, x - gap, y], [x + gap, y, side, y], [x, 0, x, y - gap], [x, y + gap, x, side]]) {
    context.moveTo(a, b);
    context.lineTo(c, d);
  }
  context.stroke();
}

function drawSeeds(view, context, ratio) {
  for (const kind of KINDS) {
    state.seeds[kind].forEach((point, number) => {
      const far = view.flat ? 0 : Math.abs(point[view.axis] - state.cursor[view.axis]);
      if (far > 2) return;
      const [x, y] = onCanvas(view, point);
      context.globalAlpha = far ? 0.4 : 1;
      context.strokeStyle = context.fillStyle = COLOURS[kind];
      context.lineWidth = 2 * ratio;
      context.beginPath();
      context.arc(x, y, 5 * ratio, 0, 2 * Math.PI);
      context.stroke();
      context.font = `bold ${11 * ratio}px sans-serif`;
      context.fillText(`${kind === "source" ? "S" : "T"}${number + 1}`, x + 7 * ratio, y - 5 * ratio);
      context.globalAlpha = 1;
    });
  }
}

function drawLetters(view, context, side, ratio) {
  const { left, right, top, bottom } = view.turn.letters;
  context.font = `${12 * ratio}px sans-serif`;
  context.fillStyle = "#ffe08a";
  context.textBaseline = "middle";
  const edge = 9 * ratio;
  for (const [text, x, y, align] of [
    [left, edge, side / 2, "center"], [right, side - edge, side / 2, "center"],
    [top, side / 2, edge, "center"], [bottom, side / 2, side - edge, "center"],
  ]) {
    context.textAlign = align;
    context.fillText(text, x, y);
  }
  context.textAlign = "start";
  context.textBaseline = "alphabetic";
}

function drawHistogram() {
  const canvas = byId("histogram");
  canvas.width = Math.max(1, canvas.clientWidth);
  const context = canvas.getContext("2d");
  const { counts, edges } = scan.histogram;
  const most = Math.log1p(Math.max(...counts));
  const [low, span] = [edges[0], edges[edges.length - 1] - edges[0] || 1];
  const within = ["lower", "upper"].map(threshold);
  context.clearRect(0, 0, canvas.width, canvas.height);
  counts.forEach((count, n) => {
    const middle = (edges[n] + edges[n + 1]) / 2;
    const inside = (within[0] === null || middle >= within[0]) && (within[1] === null || middle <= within[1]);
    context.fillStyle = inside && within.some((one) => one !== null) ? "#e0913a" : "#6d7f95";
    const height = (canvas.height * Math.log1p(count)) / most;
    const width = canvas.width / counts.length;
    context.fillRect(n * width, canvas.height - height, Math.max(width - 0.5, 0.5), height);
  });
  within.forEach((value) => {
    if (value === null) return;
    context.fillStyle = "#ffffff";
    context.fillRect(((value - low) / span) * canvas.width, 0, 1.5, canvas.height);
  });
}

// What the user does

function voxelAt(view, event) {
  const box = view.canvas.getBoundingClientRect();
  const ratio = view.canvas.width / box.width;
  const [left, top, stepX, stepY] = placement(view);
  const u = Math.floor(((event.clientX - box.left) * ratio - left) / stepX);
  const v = Math.floor(((event.clientY - box.top) * ratio - top) / stepY);
  const [width, height] = turnedSize(view);
  if (u < 0 || v < 0 || u >= width || v >= height || !view.codes) return null;
  const axes = planeAxes(view.axis);
  const [column, row] = toValues(view, u, v);
  const point = [...state.cursor];
  point[axes[0]] = column;
  point[axes[1]] = row;
  const columns = scan.size[axes[0]];
  if (view.flat) point[view.axis] = view.depth[row * columns + column];
  return point;
}

function pick(view, event) {
  const point = voxelAt(view, event);
  if (!point || finished) return;
  moveTo(point);
  if (state.mode !== "look") addSeed(state.mode, point);
}

function moveTo(point) {
  state.cursor = point.map((n, axis) => clamp(n, 0, scan.size[axis] - 1));
  showSlices();
}

function addSeed(kind, point) {
  state.seeds[kind].push([...point]);
  state.order.push(kind);
  // One source, then one target, is what most vessels need.
  if (state.mode === "source" && !state.seeds.target.length) setMode("target");
  else if (state.mode === "target" && byId("method").value === "collidingfronts") setMode("look");
  seedsChanged();
}

function removeSeed(kind, number) {
  state.seeds[kind].splice(number, 1);
  state.order.splice(state.order.lastIndexOf(kind), 1);
  seedsChanged();
}

function takeBack() {
  const kind = state.order[state.order.length - 1];
  if (kind) removeSeed(kind, state.seeds[kind].length - 1);
}

function seedsChanged() {
  for (const kind of KINDS) {
    const list = byId(`${kind}s`);
    list.replaceChildren(...state.seeds[kind].map((point, number) => seedItem(kind, point, number)));
  }
  redraw();
  preview();
}

function seedItem(kind, point, number) {
  const item = document.createElement("li");
  const go = document.createElement("button");
  const remove = document.createElement("button");
  go.type = remove.type = "button";
  go.textContent = point.join(" ");
  go.title = "show this voxel";
  go.addEventListener("click", () => moveTo(point));
  remove.textContent = "×";
  remove.setAttribute("aria-label", `remove ${kind} ${number + 1}`);
  remove.addEventListener("click", () => removeSeed(kind, number));
  const value = document.createElement("span");
  value.className = "value";
  value.textContent = volume ? ` (${shown(valueAt(point))}) ` : " ";
  item.append(go, value, remove);
  return item;
}

function setMode(mode) {
  state.mode = mode;
  document.querySelector(`input[name="mode"][value="${mode}"]`).checked = true;
}

function setWindow(width, level) {
  state.window = Math.max(width, Math.abs(scan.scale) * 1e-3);
  state.level = level;
  byId("window").value = shown(state.window);
  byId("level").value = shown(level);
  redraw();
}

function resetWindow() {
  const [low, high] = scan.percentiles;
  setWindow(high - low || 1, (low + high) / 2);
}

function listenTo(view) {
  const { canvas } = view;
  let start = null;
  canvas.addEventListener("pointerdown", (event) => {
    start = { x: event.clientX, y: event.clientY, window: state.window, level: state.level, dragged: false };
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!start) return;
    const [dx, dy] = [event.clientX - start.x, event.clientY - start.y];
    if (Math.hypot(dx, dy) > 4) start.dragged = true;
    if (!start.dragged) return;
    const range = scan.percentiles[1] - scan.percentiles[0] || 1;
    setWindow(start.window + (dx / 300) * range, start.level - (dy / 300) * range);
  });
  canvas.addEventListener("pointerup", (event) => {
    if (start && !start.dragged) pick(view, event);
    start = null;
  });
  canvas.addEventListener("pointercancel", () => { start = null; });
  canvas.addEventListener("contextmenu", (event) => event.preventDefault());
  canvas.addEventListener("keydown", (event) => pressed(view, event));
  if (view.flat) return;
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    step(view.axis, Math.sign(event.deltaY));
  }, { passive: false });
  view.slider.addEventListener("input", () => {
    const point = [...state.cursor];
    point[view.axis] = Number(view.slider.value);
    moveTo(point);
  });
}

function step(axis, by) {
  const point = [...state.cursor];
  point[axis] += by;
  moveTo(point);
}

function pressed(view, event) {
  if (event.ctrlKey || event.altKey || event.metaKey || finished) return;
  const range = (scan.percentiles[1] - scan.percentiles[0] || 1) / 20;
  const actions = {
    ArrowLeft: () => nudge(view, -1, 0), ArrowRight: () => nudge(view, 1, 0),
    ArrowUp: () => nudge(view, 0, -1), ArrowDown: () => nudge(view, 0, 1),
    PageUp: () => step(view.axis, 1), PageDown: () => step(view.axis, -1),
    s: () => addSeed("source", state.cursor), t: () => addSeed("target", state.cursor),
    x: () => setMode("look"), u: takeBack, r: resetWindow,
    "[": () => setWindow(state.window - range, state.level), "]": () => setWindow(state.window + range, state.level),
    "-": () => setWindow(state.window, state.level - range), "+": () => setWindow(state.window, state.level + range),
    Enter: () => moveToBrightest(view),
  };
  const action = actions[event.key] || actions[event.key.toLowerCase()];
  if (!action) return;
  event.preventDefault();
  action();
}

// One pixel of the turned picture.
function nudge(view, dx, dy) {
  const axes = planeAxes(view.axis);
  const [u, v] = toPixel(view, state.cursor[axes[0]], state.cursor[axes[1]]);
  const [width, height] = turnedSize(view);
  const [column, row] = toValues(view, clamp(u + dx, 0, width - 1), clamp(v + dy, 0, height - 1));
  const point = [...state.cursor];
  point[axes[0]] = column;
  point[axes[1]] = row;
  moveTo(point);
}

// With the keyboard what a click in a projection does: the depth of the maximum.
function moveToBrightest(view) {
  if (!view.flat) return;
  const [columns, rows] = planeAxes(view.axis);
  const point = [...state.cursor];
  point[view.axis] = view.depth[state.cursor[rows] * scan.size[columns] + state.cursor[columns]];
  moveTo(point);
}

function threshold(name) {
  const use = byId(name === "lower" ? "useLower" : "useUpper");
  const value = byId(`${name}Number`).value;
  return use.checked && value !== "" ? Number(value) : null;
}

function setThreshold(name, value) {
  const use = byId(name === "lower" ? "useLower" : "useUpper");
  use.checked = value !== null;
  if (value !== null) {
    byId(`${name}Number`).value = String(value);
    byId(name).value = String(value);
  }
}

function thresholdsChanged() {
  drawHistogram();
  redraw();
  preview();
}

function listenToThreshold(name) {
  const [slider, number] = [byId(name), byId(`${name}Number`)];
  const use = byId(name === "lower" ? "useLower" : "useUpper");
  const { edges } = scan.histogram;
  const [low, high] = [edges[0], edges[edges.length - 1]];
  slider.min = low;
  slider.max = high;
  slider.step = Math.max(scan.scale, (high - low) / 2000) || "any";
  slider.value = number.value = shown(name === "lower" ? low : high);
  slider.addEventListener("input", () => { use.checked = true; number.value = slider.value; thresholdsChanged(); });
  number.addEventListener("change", () => { use.checked = true; slider.value = number.value; thresholdsChanged(); });
  use.addEventListener("change", thresholdsChanged);
}

// Talking to the server

function request() {
  return {
    method: byId("method").value,
    sources: state.seeds.source,
    targets: state.seeds.target,
    lower: threshold("lower"),
    upper: threshold("upper"),
    cursor: state.cursor,
  };
}

async function post(path, content, signal) {
  const answer = await fetch(path, {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(content), signal,
  });
  return answer.headers.get("Content-Type") === "application/json" ? answer.json() : { error: await answer.text() };
}

function ready() {
  const { source, target } = state.seeds;
  const method = byId("method").value;
  if (method === "threshold") return threshold("lower") !== null || threshold("upper") !== null;
  if (method === "seeds") return source.length + target.length > 0;
  return source.length > 0 && target.length > 0;
}

async function preview(changes = {}) {
  if (!scan.files) {
    byId("command").textContent = command();
    return;
  }
  if (finished) return;
  if (pendingPreview) pendingPreview.abort();
  const mine = (pendingPreview = new AbortController());
  if (!ready()) {
    clearPreview();
    showResult("Pick a source and a target: the level set between them is outlined here.");
    return;
  }
  document.body.dataset.preview = "running";
  try {
    const found = await post("preview", { ...request(), ...changes }, mine.signal);
    if (mine === pendingPreview && !found.stale) showPreview(found);
  } catch (error) {
    if (error.name !== "AbortError" && mine === pendingPreview) showProblem(error);
  }
}

function clearPreview() {
  masks = { slices: [], projections: [], generation: -1 };
  document.body.dataset.preview = "none";
  redraw();
}

function showPreview(found) {
  for (const kind of KINDS) {
    (found.values ? found.values[`${kind}s`] : []).forEach((value, number) => {
      const item = byId(`${kind}s`).children[number];
      if (item) item.querySelector(".value").textContent = ` (${shown(value)}) `;
    });
  }
  const problem = found.error || found.problem;
  if (problem) {
    clearPreview();
    document.body.dataset.preview = "problem";
    showResult(problem, true);
    return;
  }
  masks = {
    slices: (found.slices || []).map(unpack), projections: found.projections.map(unpack), generation: found.generation,
  };
  if (found.lower !== null && found.lower !== threshold("lower")) {
    setThreshold("lower", found.lower);
    drawHistogram();
  }
  const pieces = found.components === 1 ? "1 piece" : `${found.components} pieces`;
  const facts = `${found.inside} voxels inside, ${shown(found.volume)} ml, ${pieces}`;
  showResult([facts, ...found.warnings].join("; "), found.warnings.length > 0);
  document.body.dataset.preview = "done";
  redraw();
}

function showResult(text, problem = false) {
  byId("result").textContent = text;
  byId("result").classList.toggle("problem", problem);
}

const showProblem = (error) => showResult(error.message || String(error), true);

function showPlace() {
  const value = valueAt(state.cursor);
  byId("place").textContent = `voxel ${state.cursor.join(" ")}${value === null ? "" : `, value ${shown(value)}`}`;
}

async function leave(path) {
  setBusy(true);
  if (pendingPreview) pendingPreview.abort();
  try {
    const found = await post(path, request());
    if (found.error) {
      setBusy(false);
      showResult(found.error, true);
      return;
    }
    finished = true;
    document.body.dataset.preview = "finished";
    byId("command").textContent = found.command || "";
    showResult(found.files ? `Wrote ${found.files.join(" and ")}. You can close this page.` : "Nothing is written.");
  } catch (error) {
    setBusy(false);
    showProblem(error);
  }
}

function setBusy(busy) {
  for (const element of document.querySelectorAll("#controls button, #controls input, #controls select")) {
    element.disabled = busy;
  }
}

// The one-file page

const quoted = (word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\"'\"'")}'`);

function command() {
  const words = ["mitk-rs", "init", scan.title, "-o", "level_set.mha", "--method", byId("method").value];
  if (threshold("lower") !== null) words.push("--lower", String(threshold("lower")));
  if (threshold("upper") !== null) words.push("--upper", String(threshold("upper")));
  for (const kind of KINDS) {
    for (const point of state.seeds[kind]) words.push(`--${kind}`, ...point.map(String));
  }
  if (scan.timeStep !== null) words.push("--time-step", String(scan.timeStep));
  return words.map(quoted).join(" ");
}

function seedFile() {
  const seeds = KINDS.flatMap((kind) => state.seeds[kind].map((position) => ({ label: kind, position })));
  return JSON.stringify({ format: "mitk_rs seeds", version: 1, coordinate_system: "index", seeds }, null, 2);
}

function download() {
  const link = document.createElement("a");
  link.href = `data:application/json,${encodeURIComponent(seedFile())}`;
  link.download = "seeds.json";
  link.click();
}

async function copy() {
  const output = byId("command");
  const range = document.createRange();
  range.selectNodeContents(output);
  getSelection().removeAllRanges();
  getSelection().addRange(range);
  // Pages from a file may not use the clipboard interface everywhere.
  const copied = navigator.clipboard ? await navigator.clipboard.writeText(output.textContent).then(() => true, () => false)
    : document.execCommand("copy");
  showResult(copied ? "Copied." : "The command is selected: copy it with Ctrl+C.");
}

async function unzip(text) {
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint16Array(await new Response(stream).arrayBuffer());
}

// Beginning

function makeView(axis, flat) {
  const figure = document.createElement("figure");
  const caption = document.createElement("figcaption");
  const canvas = document.createElement("canvas");
  const label = document.createElement("span");
  canvas.tabIndex = 0;
  canvas.id = `${flat ? "projection" : "slice"}-${AXES[axis]}`;
  canvas.setAttribute("role", "img");
  const view = { axis, flat, canvas, label, turn: scan.views[axis], buffer: document.createElement("canvas") };
  caption.append(label);
  if (flat) {
    label.textContent = `maximum along ${AXES[axis]}`;
    canvas.setAttribute("aria-label", `maximum intensity projection along ${AXES[axis]}`);
  } else {
    canvas.setAttribute("aria-label", `slice across ${AXES[axis]}`);
    view.slider = document.createElement("input");
    Object.assign(view.slider, { type: "range", min: 0, max: scan.size[axis] - 1, value: 0 });
    view.slider.setAttribute("aria-label", `slice across ${AXES[axis]}`);
    caption.append(view.slider);
  }
  figure.append(canvas, caption);
  byId("views").append(figure);
  views.push(view);
  listenTo(view);
  return view;
}

async function loadProjection(view) {
  const both = volume ? projectVolume(view.axis) : await fetchCodes(`projection?axis=${view.axis}`);
  view.codes = both.subarray(0, both.length / 2);
  view.depth = both.subarray(both.length / 2);
  redraw();
}

function listenToControls() {
  for (const radio of document.querySelectorAll('input[name="mode"]')) {
    radio.addEventListener("change", () => { state.mode = radio.value; });
  }
  for (const id of ["window", "level"]) {
    byId(id).addEventListener("change", () => setWindow(Number(byId("window").value), Number(byId("level").value)));
  }
  byId("reset").addEventListener("click", resetWindow);
  byId("tint").addEventListener("change", redraw);
  byId("method").addEventListener("change", () => preview());
  byId("auto").addEventListener("click", () => preview({ lower: "auto" }));
  byId("accept").addEventListener("click", () => leave("accept"));
  byId("save").addEventListener("click", () => leave("save"));
  byId("cancel").addEventListener("click", () => leave("cancel"));
  byId("copy").addEventListener("click", copy);
  byId("download").addEventListener("click", download);
  window.addEventListener("resize", () => { drawHistogram(); redraw(); });
}

async function begin() {
  scan = embedded ? JSON.parse(embedded.textContent) : await (await fetch("scan")).json();
  if (embedded) volume = await unzip(scan.voxels);
  document.body.classList.toggle("is-live", Boolean(scan.files));
  byId("name").textContent = scan.title;
  document.title = `${scan.title} - mitk-rs pick`;
  byId("method").replaceChildren(...scan.methods.map((method) => new Option(method, method)));
  ["lower", "upper"].forEach(listenToThreshold);
  const given = scan.request;
  byId("method").value = given.method;
  setThreshold("lower", given.lower === "auto" ? null : given.lower);
  setThreshold("upper", given.upper);
  state.seeds = { source: given.sources, target: given.targets };
  state.order = [...given.sources.map(() => "source"), ...given.targets.map(() => "target")];
  const start = given.sources[0] || scan.size.map((n) => Math.floor(n / 2));
  state.cursor = [...start];
  for (const flat of [false, true]) [2, 1, 0].forEach((axis) => makeView(axis, flat));
  listenToControls();
  resetWindow();
  await Promise.all(views.filter((view) => view.flat).map(loadProjection));
  moveTo(state.cursor);
  drawHistogram();
  seedsChanged();
  document.body.dataset.ready = "yes";
}

begin().catch(showProblem);
