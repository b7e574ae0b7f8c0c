// The live figure: a walk between two digits, and digits on request. Networks run in workers.
"use strict";
{
  const SIDE = 28, FRAMES = 11, DIGITS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];
  const KINDS = { gan: "GAN", vae: "VAE", blend: "pixel blend" };
  const { networks, latentSize, labelledLatentSize, pair, ...ten } = latentwalkData;
  const codes = ten.codes.map((two) => two.map((code) => Float32Array.from(code)));
  const root = document.getElementById("live");
  const part = (name) => root.querySelector(`.live-${name}`);
  const calm = matchMedia("(prefers-reduced-motion: reduce)");

  function make(tag, properties = {}, ...children) {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  }

  // ---- networks ---------------------------------------------------------------------------------

  /** Start a worker; returns a function that runs a network on many inputs. */
  function startWorker() {
    const source = new Blob([`(${latentwalkWorker})()`], { type: "text/javascript" });
    const worker = new Worker(URL.createObjectURL(source));
    const waiting = [], sent = new Set();
    worker.onmessage = ({ data: outputs }) => waiting.shift()(outputs);
    worker.onerror = () => { root.hidden = true; }; // a browser that cannot run the networks
    return (name, inputs) => new Promise((resolve) => {
      if (!sent.has(name)) worker.postMessage({ name, network: networks[name] });
      sent.add(name);
      waiting.push(resolve);
      worker.postMessage({ name, inputs });
    });
  }

  const draw = startWorker(), judge = startWorker();
  root.latentwalk = { draw, judge }; // for whoever wants to try more in the console

  /** The point at t on the line between two arrays. */
  const between = (start, end, t) => start.map((value, i) => (1 - t) * value + t * end[i]);

  /** Numbers from a standard normal distribution (Box and Muller's method). */
  function noise(size) {
    const one = () => Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
    return Float32Array.from({ length: size }, one);
  }

  /** What the judge reads: the digit, its certainty, and all ten probabilities. */
  async function readings(images) {
    const outputs = await judge("judge", images);
    return outputs.map((shares) => {
      const certainty = Math.max(...shares);
      return { digit: shares.indexOf(certainty), certainty, shares };
    });
  }

  const percent = (share) => share >= 0.995 ? "> 99 %" : `${Math.round(100 * share)} %`;

  // ---- pictures ---------------------------------------------------------------------------------

  function canvas(columns, label) {
    const element = make("canvas", { width: columns * SIDE, height: SIDE });
    element.setAttribute("role", "img");
    element.setAttribute("aria-label", label);
    return element;
  }

  /** Paint an image on a canvas, black on white. */
  function paint(element, image, column = 0) {
    const pixels = new ImageData(SIDE, SIDE), colors = new Uint32Array(pixels.data.buffer);
    image.forEach((ink, i) => { colors[i] = 0xff000000 + 0x010101 * Math.round(255 * (1 - ink)); });
    element.getContext("2d").putImageData(pixels, column * SIDE, 0);
  }

  // ---- the walk ---------------------------------------------------------------------------------

  const slider = document.getElementById("live-t");
  const tiles = {}, strips = {};
  const choices = ten.inputs.map((input, n) => ({ input: Float32Array.from(input), digit: ten.labels[n] }));
  let ends = null; // the two choices with their images, and the codes of the VAE
  let busy = { images: false, readings: false };

  for (const [kind, name] of Object.entries(KINDS)) {
    const bars = DIGITS.map((digit) => make("span", { textContent: digit }));
    const tile = {
      picture: canvas(1, `${name}, at the slider's place`),
      digit: make("b"), certainty: make("span"), bars,
    };
    tiles[kind] = tile;
    const bar = make("div", { className: "live-bars" }, ...bars);
    bar.setAttribute("aria-hidden", "true");
    part("stage").append(make("div", { className: `live-tile live-${kind}` },
      make("p", { className: "live-name", textContent: name }), tile.picture,
      make("p", { className: "live-reading" }, tile.digit, " ", tile.certainty), bar));
    const labels = Array.from({ length: FRAMES }, () => make("span"));
    strips[kind] = { picture: canvas(FRAMES, `${name}, the whole way`), labels };
    strips[kind].picture.addEventListener("click", ({ offsetX, target }) => {
      const frame = Math.floor(FRAMES * offsetX / target.clientWidth);
      walkTo(frame / (FRAMES - 1));
    });
    part("strips").append(make("div", { className: `live-strip live-${kind}` },
      make("span", { className: "live-name", textContent: name }),
      make("div", { className: "live-film" }, strips[kind].picture),
      make("div", { className: "live-labels" }, ...labels)));
  }

  /** The three images at a place on the way. */
  async function imagesAt(t, { first, second, start, end }) {
    const [[gan], [vae]] = await Promise.all([
      draw("gan", [between(first.input, second.input, t)]), draw("vae", [between(start, end, t)]),
    ]);
    return { gan, vae, blend: between(first.image, second.image, t) };
  }

  /** Show the images of the slider's place, until they are those of its latest one. */
  async function update() {
    part("value").textContent = (slider.value / 1000).toFixed(2);
    part("strips").style.setProperty("--t", slider.value / 1000);
    if (busy.images || !ends) return;
    busy.images = true;
    let shown;
    do {
      shown = { t: slider.value, ends };
      const images = await imagesAt(shown.t / 1000, ends);
      for (const kind in KINDS) paint(tiles[kind].picture, images[kind]);
      root.dataset.shown = shown.t;
      read(shown.t, images);
      await new Promise(requestAnimationFrame);
    } while (shown.t !== slider.value || shown.ends !== ends);
    busy.images = false;
  }

  let unread = null;
  /** Say what the judge reads; while it is busy, only the latest images wait. */
  async function read(t, images) {
    unread = { t, images };
    if (busy.readings) return;
    busy.readings = true;
    while (unread) {
      const { t: place, images: seen } = unread;
      unread = null;
      const found = await readings(Object.keys(KINDS).map((kind) => seen[kind]));
      Object.keys(KINDS).forEach((kind, n) => sayReading(tiles[kind], found[n]));
      root.dataset.read = place;
      slider.setAttribute("aria-valuetext", `${(place / 1000).toFixed(2)}: ` + Object.values(KINDS).map(
        (name, n) => `${name} reads ${found[n].digit}, ${percent(found[n].certainty)}`).join("; "));
    }
    busy.readings = false;
  }

  function sayReading({ digit, certainty, bars }, found) {
    digit.textContent = found.digit;
    certainty.textContent = percent(found.certainty);
    bars.forEach((bar, n) => {
      bar.style.setProperty("--share", found.shares[n].toFixed(2));
      bar.classList.toggle("live-most", n === found.digit);
    });
  }

  /** Fill the strips frame by frame, so that the slider never waits for them. */
  async function fillStrips(mine) {
    for (let frame = 0; frame < FRAMES && mine === ends; frame++) {
      const images = await imagesAt(frame / (FRAMES - 1), mine);
      const found = await readings(Object.keys(KINDS).map((kind) => images[kind]));
      if (mine !== ends) return;
      Object.keys(KINDS).forEach((kind, n) => {
        paint(strips[kind].picture, images[kind], frame);
        strips[kind].labels[frame].textContent = found[n].digit;
        strips[kind].labels[frame].style.opacity = 0.65 + 0.35 * found[n].certainty ** 4;
      });
    }
    root.dataset.strips = "done";
  }

  function walkTo(t) {
    stop();
    slider.value = 1000 * t;
    update();
  }

  let playing = 0;
  function stop() {
    cancelAnimationFrame(playing);
    playing = 0;
    part("play").textContent = "Play";
  }
  function play() {
    const from = slider.value >= 1000 ? 0 : slider.value / 1000, began = performance.now();
    part("play").textContent = "Pause";
    const step = (now) => {
      const t = Math.min(1, from + Math.max(0, now - began) / 5000);
      slider.value = 1000 * t;
      update();
      if (t < 1) playing = requestAnimationFrame(step);
      else stop();
    };
    playing = requestAnimationFrame(step);
  }
  part("play").addEventListener("click", () => playing ? stop() : play());
  slider.addEventListener("input", () => { stop(); update(); });

  // ---- the two ends -----------------------------------------------------------------------------

  const chosen = [...pair];

  /** A row of the ten images, of which one is an end of the walk. */
  function addPicker(end, title) {
    const choose = make("div", { className: "live-choices" });
    const fresh = make("button", { type: "button", textContent: "new noise" });
    const picker = make("fieldset", {}, make("legend", { textContent: title }), choose);
    part("ends").append(picker);
    async function add(number) {
      const box = make("input", { type: "radio", name: `live-end-${end}`, value: number });
      box.checked = chosen[end] === number;
      box.addEventListener("change", () => { chosen[end] = number; setEnds(); });
      const picture = make("canvas", { width: SIDE, height: SIDE });
      const choice = choices[number];
      const name = number < ten.inputs.length ? `number ${number}` : "new noise";
      box.setAttribute("aria-label", `${name}, read as ${choice.digit}`);
      choose.insertBefore(make("label", {}, box, picture), fresh);
      paint(picture, choice.image);
      return box;
    }
    choose.append(fresh);
    ten.inputs.forEach((_, number) => add(number));
    fresh.addEventListener("click", async () => {
      const input = noise(latentSize), [image] = await draw("gan", [input]);
      const [{ digit }] = await readings([image]);
      const number = choices.push({ input, image, digit }) - 1;
      chosen[end] = number;
      choose.querySelector(".live-new")?.closest("label").remove();
      (await add(number)).classList.add("live-new");
      setEnds();
    });
  }

  /** Walk between what is chosen; the VAE between test images of the same digits. */
  function setEnds() {
    const [first, second] = chosen.map((number) => choices[number]);
    const same = first.digit === second.digit ? 1 : 0;
    ends = {
      first, second,
      start: codes[first.digit][0], end: codes[second.digit][same] ?? codes[second.digit][0],
    };
    delete root.dataset.strips;
    update();
    fillStrips(ends);
  }

  // ---- digits on request ------------------------------------------------------------------------

  let hands = DIGITS.map(() => noise(labelledLatentSize));
  let asked = 7;
  const answers = DIGITS.map((n) => ({ picture: canvas(1, `image ${n + 1}`), reading: make("span") }));
  part("row").append(...answers.map(({ picture, reading }) => make("div", {}, picture, reading)));

  async function ask() {
    const mine = [asked, hands];
    const current = () => mine[0] === asked && mine[1] === hands;
    const label = DIGITS.map((digit) => digit === asked ? 1 : 0);
    for (let n = 0; n < hands.length && current(); n++) {
      const [image] = await draw("cgan", [Float32Array.from([...hands[n], ...label])]);
      const [found] = await readings([image]);
      if (!current()) return;
      paint(answers[n].picture, image);
      answers[n].reading.textContent = found.digit;
      answers[n].picture.setAttribute("aria-label", `image ${n + 1}, read as ${found.digit}`);
      answers[n].reading.classList.toggle("live-wrong", found.digit !== mine[0]);
    }
    root.dataset.asked = asked;
  }

  function addDigits() {
    const keys = DIGITS.map((digit) => {
      const box = make("input", { type: "radio", name: "live-digit", value: digit });
      box.checked = digit === asked;
      box.addEventListener("change", () => { asked = digit; ask(); });
      return make("label", {}, box, make("span", { textContent: digit }));
    });
    const fresh = make("button", { type: "button", textContent: "new noise" });
    fresh.addEventListener("click", () => {
      hands = DIGITS.map(() => noise(labelledLatentSize));
      ask();
    });
    part("ask").append(make("fieldset", {}, make("legend", { textContent: "Digit" }),
      make("div", { className: "live-choices" }, ...keys, fresh)));
  }

  // ---- start ------------------------------------------------------------------------------------

  async function start() {
    const images = await draw("gan", choices.map((choice) => choice.input));
    choices.forEach((choice, n) => { choice.image = images[n]; });
    addPicker(0, "From");
    addPicker(1, "To");
    addDigits();
    setEnds();
    ask();
    root.dataset.ready = Math.round(performance.now()); // milliseconds since the page was asked for
    // it walks once by itself when it is first seen, unless the reader wants no motion
    const seen = new IntersectionObserver(([entry]) => {
      if (!entry.isIntersecting) return;
      seen.disconnect();
      if (!calm.matches && slider.value === "0") play();
    }, { threshold: 0.6 });
    seen.observe(part("stage"));
  }
  root.hidden = false;
  start();
}
