"use strict";
// The sliders of the page: thresholds the embedded maps anew, as evaluate/boxes.py does.
{
  const STEPS = [[1, 0], [1, 1], [0, 1], [-1, 1], [-1, 0], [-1, -1], [0, -1], [1, -1]];
  // OpenCV's "inferno" at 0, 51 … 255, as in the other pictures.
  const HEAT = [[0, 0, 4], [66, 10, 104], [147, 38, 103], [221, 81, 58], [252, 165, 10], [252, 255, 164]];
  const WIDTH = 480;  // of a canvas, pixels

  // The outer contour of the region whose first pixel in reading order is x0, y0; clockwise.
  function contourFrom(above, x0, y0) {
    const next = (x, y, from) => [0, 1, 2, 3, 4, 5, 6, 7].map(turn => (from + turn) % 8)
      .find(step => above(x + STEPS[step][0], y + STEPS[step][1]));
    const points = [], first = next(x0, y0, 5);  // nothing lies west, nor above
    let [x, y, step, twice, box] = [x0, y0, first, 0, [x0, y0, x0, y0]];
    do {
      points.push([x, y]);
      box = [Math.min(box[0], x), Math.min(box[1], y), Math.max(box[2], x), Math.max(box[3], y)];
      if (step === undefined) break;  // a single pixel
      const [dx, dy] = STEPS[step];
      twice += x * dy - dx * y;
      [x, y] = [x + dx, y + dy];
      step = next(x, y, step + (step % 2 ? 6 : 7));
    } while (x !== x0 || y !== y0 || step !== first);
    return {points, box, area: Math.abs(twice) / 2};
  }

  // All 8-connected regions above a level, and the box of the one that encloses most: a polygon
  // through pixel centres, holes included; of equal ones the last in reading order.
  function regionsAbove({levels, width, height}, level) {
    const above = (x, y) =>
      x >= 0 && y >= 0 && x < width && y < height && levels[y * width + x] > level;
    const seen = new Uint8Array(levels.length), regions = [];
    let largest = null;
    for (let start = 0; start < levels.length; start++) {
      if (seen[start] || levels[start] <= level) continue;
      const pixels = [start];
      seen[start] = 1;
      for (const at of pixels) {  // grows meanwhile
        const x = at % width, y = (at - x) / width;
        for (const [dx, dy] of STEPS) {
          const beside = at + dy * width + dx;
          if (above(x + dx, y + dy) && !seen[beside]) pixels.push(beside), seen[beside] = 1;
        }
      }
      const region = contourFrom(above, start % width, Math.floor(start / width));
      regions.push(region);
      if (!largest || region.area >= largest.area) largest = {...region, pixels: pixels.length};
    }
    if (!largest) return {regions, box: [0, 0, 0, 0], share: 0};
    const [x0, y0, x1, y1] = largest.box;
    const box = [x0, y0, Math.min(x1 + 1, width - 1), Math.min(y1 + 1, height - 1)];
    return {regions, box, share: largest.pixels / levels.length};
  }

  function iou(a, b) {  // corners are inside
    const area = box => (box[2] - box[0] + 1) * (box[3] - box[1] + 1);
    const side = i => Math.max(Math.min(a[i + 2], b[i + 2]) - Math.max(a[i], b[i]) + 1, 0);
    return side(0) * side(1) / (area(a) + area(b) - side(0) * side(1));
  }

  async function pixelsOf(uri) {
    const picture = new Image();
    picture.src = uri;
    await picture.decode();
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [picture.naturalWidth, picture.naturalHeight];
    const context = canvas.getContext("2d", {willReadFrequently: true});
    context.drawImage(picture, 0, 0);
    const data = context.getImageData(0, 0, canvas.width, canvas.height);
    return {picture, canvas, context, data};
  }

  async function load(canvas) {
    const {picture: frame} = await pixelsOf(canvas.closest("figure").querySelector("img").src);
    const {canvas: heat, context, data} = await pixelsOf(canvas.dataset.map);
    const levels = new Uint8Array(data.width * data.height);
    levels.forEach((_, i) => {
      const value = levels[i] = data.data[4 * i], low = Math.min(Math.floor(value / 51), 4);
      HEAT[low].forEach((colour, c) => {
        data.data[4 * i + c] = colour + (HEAT[low + 1][c] - colour) * (value / 51 - low);
      });
    });
    context.putImageData(data, 0, 0);
    [canvas.width, canvas.height] = [WIDTH, Math.round(WIDTH * frame.height / frame.width)];
    const truth = JSON.parse(canvas.dataset.truth);
    return {canvas, frame, heat, levels, width: data.width, height: data.height, truth};
  }

  function draw(view, level, withMap) {
    const {canvas, truth} = view, context = canvas.getContext("2d");
    const {regions, box, share} = regionsAbove(view, level);
    const [x, y] = [canvas.width / view.width, canvas.height / view.height];
    const outline = (colour, [x0, y0, x1, y1]) => {
      context.strokeStyle = colour;
      context.strokeRect(x0 * x, y0 * y, (x1 - x0) * x, (y1 - y0) * y);
    };
    context.drawImage(view.frame, 0, 0, canvas.width, canvas.height);
    context.globalAlpha = withMap ? 0.5 : 0;
    context.drawImage(view.heat, 0, 0, canvas.width, canvas.height);
    context.globalAlpha = 1;
    const path = new Path2D(regions.map(({points}) =>
      "M" + points.map(([a, b]) => `${(a + .5) * x} ${(b + .5) * y}`).join("L") + "Z").join(""));
    for (const [colour, width] of [["black", 7], ["white", 3.5]]) {
      [context.strokeStyle, context.lineWidth] = [colour, width];
      context.stroke(path);
    }
    context.lineWidth = 5;
    truth.forEach(corners => outline("#00ff00", corners));
    outline("#ff0000", box);
    view.iou = truth.length ? Math.max(...truth.map(other => iou(box, other))) : null;
    canvas.dataset.box = JSON.stringify(box);
    const overlap = view.iou === null ? "" : `IoU ${view.iou.toFixed(2)} · `;
    const words = `${canvas.dataset.method} · ${overlap}${(100 * share).toFixed(0)} %`;
    canvas.nextElementSibling.textContent = words;
  }

  async function start(gallery) {
    const shown = gallery.querySelector("input[type=checkbox]");
    const all = await Promise.all([...gallery.querySelectorAll("canvas")].map(load));
    for (const slider of gallery.querySelectorAll("input[type=range]")) {
      const {method, curve, corloc, origin} = slider.dataset, box = slider.closest(".slider");
      const views = all.filter(view => view.canvas.dataset.method === method);
      const scores = JSON.parse(curve), known = views.filter(view => view.truth.length);
      let moved = false, waiting = 0;
      const show = () => {
        const tau = slider.valueAsNumber, words = moved ? tau.toFixed(3) : origin;
        for (const view of views) {
          const {level, peak} = view.canvas.dataset;
          draw(view, moved ? Math.floor(tau * peak) : Number(level), shown.checked);
        }
        const score = moved ? scores && scores[Math.round(tau / slider.step)] : JSON.parse(corloc);
        const hits = known.filter(view => view.iou >= 0.5).length;
        box.querySelector("output").textContent = words
          + (score === null ? "" : ` · CorLoc ${score.toFixed(1)}`)
          + (known.length ? ` · ${hits} of ${known.length} shown hit` : "");
        slider.setAttribute("aria-valuetext", words);
      };
      const soon = () => { cancelAnimationFrame(waiting); waiting = requestAnimationFrame(show); };
      slider.addEventListener("input", () => { moved = true; soon(); });
      shown.addEventListener("change", soon);
      box.querySelector("button").addEventListener("click", () => {
        [slider.value, moved] = [slider.defaultValue, false];
        soon();
      });
      show();
    }
    gallery.classList.add("drawn");
  }
  document.querySelectorAll("section.thresholds").forEach(start);
}
