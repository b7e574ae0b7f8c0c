// What helps to read the page on a screen. Without it, the page is complete.
"use strict";

const wide = matchMedia("(min-width: 78rem)");

/** Make an element with attributes and children. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** Call a function once for all events that come before the next picture. */
function oncePerFrame(action) {
  let waiting = false;
  return () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; action(); });
  };
}

/** Fold the table of contents on a narrow screen, and mark the section that is being read. */
function followContents(contents) {
  const here = make("span", { class: "here" });
  const fold = make("details", {}, make("summary", {}, "Contents", here), ...contents.childNodes);
  contents.replaceChildren(fold);
  const unfold = () => { fold.open = wide.matches; };
  wide.addEventListener("change", unfold);
  unfold();
  const links = [...contents.querySelectorAll("a")];
  contents.addEventListener("click", (event) => {
    if (event.target.closest("a") && !wide.matches) fold.open = false;
  });
  const headings = links.map((link) => document.getElementById(decodeURIComponent(link.hash.slice(1))));
  function mark() {
    const atEnd = innerHeight + scrollY >= document.documentElement.scrollHeight - 2;
    const edge = atEnd ? innerHeight : innerHeight / 4;
    const place = headings.findLastIndex((h) => h && h.getBoundingClientRect().top < edge);
    links.forEach((link, n) => link.toggleAttribute("aria-current", n === place));
    if (place < 0) return void (here.textContent = "");
    const link = links[place];
    link.setAttribute("aria-current", "true");
    here.textContent = link.textContent;
    if (wide.matches) {
      const below = link.offsetTop - contents.clientHeight * 0.75;
      contents.scrollTop = Math.min(Math.max(contents.scrollTop, below), link.offsetTop - 40);
    }
  }
  addEventListener("scroll", oncePerFrame(mark), { passive: true });
  mark();
}

/** Put a link to itself behind each heading. */
function linkHeadings() {
  for (const heading of document.querySelectorAll("main :is(h2, h3, h4)[id]")) {
    const label = `Link to: ${heading.textContent}`;
    heading.append(make("a", { class: "anchor", href: `#${heading.id}`, "aria-label": label }, "#"));
  }
}

/** Put a button that copies the text on each block of code. */
function copyCode() {
  for (const code of document.querySelectorAll("div.sourceCode > pre > code")) {
    const button = make("button", { class: "copy", type: "button" }, "Copy");
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(code.innerText);
        button.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(code); // for the reader's own keys
        button.textContent = "Selected";
      }
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    });
    code.closest("div.sourceCode").append(button);
  }
}

/** Show what a link refers to beside it, while the pointer or the focus is on it. */
function previewReferences() {
  const shown = "figure.float, div.float, span.equation, div.theorem, div.csl-entry, #footnotes li";
  const tip = make("div", { id: "preview", role: "tooltip", hidden: "" });
  document.body.append(tip);
  let hiding, owner;
  function hide() {
    tip.hidden = true;
    owner?.removeAttribute("aria-describedby");
  }
  function hideSoon() { hiding = setTimeout(hide, 200); }
  function show(link) {
    const target = document.getElementById(decodeURIComponent(link.hash.slice(1)));
    if (!target?.matches(shown)) return;
    clearTimeout(hiding);
    hide();
    const copy = target.cloneNode(true);
    for (const one of copy.querySelectorAll("button, .footnote-back")) one.remove();
    for (const one of [copy, ...copy.querySelectorAll("*")]) {
      one.removeAttribute("id");
      one.removeAttribute("tabindex");
    }
    tip.replaceChildren(...(copy.matches("li") ? copy.childNodes : [copy]));
    tip.hidden = false;
    owner = link;
    link.setAttribute("aria-describedby", tip.id);
    const line = link.getClientRects()[0], box = tip.getBoundingClientRect();
    const room = line.bottom + box.height + 12 < innerHeight || line.top < box.height + 12;
    const left = Math.min(line.left, document.documentElement.clientWidth - box.width - 12);
    tip.style.left = `${Math.max(12, left) + scrollX}px`;
    tip.style.top = `${(room ? line.bottom + 6 : line.top - box.height - 6) + scrollY}px`;
  }
  for (const link of document.querySelectorAll('main a[href^="#"]:not(.anchor)')) {
    if (link.closest("div.sourceCode")) continue;
    link.addEventListener("pointerenter", (event) => event.pointerType === "mouse" && show(link));
    link.addEventListener("pointerleave", hideSoon);
    link.addEventListener("focus", () => link.matches(":focus-visible") && show(link));
    link.addEventListener("blur", hide);
    link.addEventListener("click", hide);
  }
  tip.addEventListener("pointerenter", () => clearTimeout(hiding));
  tip.addEventListener("pointerleave", hideSoon);
  addEventListener("keydown", (event) => event.key === "Escape" && hide());
}

/** Open a figure large: on a telephone its letters are too small to be read in place. */
function enlargeFigures() {
  const close = make("button", { type: "button", class: "close" }, "Close");
  const room = make("div", { class: "room", tabindex: "0" });
  const dialog = make("dialog", { id: "enlarged" }, close, room);
  document.body.append(dialog);
  close.addEventListener("click", () => dialog.close());
  room.addEventListener("click", () => dialog.close());
  for (const image of document.querySelectorAll("main figure.float img")) {
    const figure = image.closest("figure");
    const name = figure.querySelector(".caption-label")?.textContent.replace(/:$/, "") ?? "figure";
    const button = make("button", { type: "button", class: "enlarge" }, `Enlarge ${name}`);
    function open() {
      dialog.setAttribute("aria-label", name);
      room.replaceChildren(image.cloneNode());
      dialog.showModal();
    }
    button.addEventListener("click", open);
    image.addEventListener("click", open);
    image.after(button);
  }
}

/** Let the keyboard reach what is wider than the screen, and say to the style where it goes on. */
function signScrolling() {
  const boxes = document.querySelectorAll("main :is(pre, div.float.table, math[display=block])");
  function sign(box) {
    const hidden = box.scrollWidth - box.clientWidth;
    box.classList.toggle("more-left", box.scrollLeft > 1);
    box.classList.toggle("more-right", hidden - box.scrollLeft > 1);
    if (hidden > 1) box.setAttribute("tabindex", "0");
    else box.removeAttribute("tabindex");
  }
  const watch = new ResizeObserver((entries) => entries.forEach((one) => sign(one.target)));
  for (const box of boxes) {
    watch.observe(box);
    box.addEventListener("scroll", oncePerFrame(() => sign(box)), { passive: true });
  }
}

linkHeadings();
copyCode();
enlargeFigures();
signScrolling();
previewReferences();
if (document.getElementById("TOC")) followContents(document.getElementById("TOC"));
