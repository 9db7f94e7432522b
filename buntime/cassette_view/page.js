// The page of a cassette. All text of the recording goes through textContent, so that it stays text.
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const page = document.getElementById("page");
  const root = document.documentElement;
  const options = new URLSearchParams(location.hash.slice(1));

  const element = (name, attributes = {}, ...children) => {
    const node = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    node.append(...children);
    return node;
  };

  const TOKENS = new RegExp(
    [
      String.raw`(?<comment>\/\/[^\n]*|\/\*[^]*?(?:\*\/|$))`,
      String.raw`(?<string>"(?:\\.|[^"\\\n])*"?|'(?:\\.|[^'\\\n])*'?|` + "`(?:\\\\[^]|[^`\\\\])*`?)",
      String.raw`(?<number>\b(?:0[xobXOB][\da-fA-F_]+|\d[\d_]*(?:\.\d+)?(?:[eE][+-]?\d+)?)n?\b)`,
      String.raw`(?<keyword>\b(?:as|async|await|break|case|catch|class|const|continue|default|delete|do|else|` +
        "export|extends|false|finally|for|from|function|if|import|in|instanceof|interface|let|new|null|of|" +
        String.raw`return|static|super|switch|this|throw|true|try|type|typeof|undefined|var|void|while|yield)\b)`,
    ].join("|"),
    "g",
  );
  const CLASSES = { comment: "comment", string: "string", number: "number-literal", keyword: "keyword" };

  const highlight = (text) => {
    const parts = [];
    let end = 0;
    for (const match of text.matchAll(TOKENS)) {
      const [kind] = Object.entries(match.groups).find(([, value]) => value !== undefined);
      parts.push(text.slice(end, match.index), element("span", { class: CLASSES[kind] }, match[0]));
      end = match.index + match[0].length;
    }
    return [...parts, text.slice(end)];
  };

  const block = ({ kind, text }) => {
    const content = kind === "js" || kind === "json" ? highlight(text) : [text];
    return element("pre", { class: kind, tabindex: "0" }, ...content);
  };

  const duration = (ms) => {
    if (ms === null) return "";
    return ms < 10000 ? `${ms} ms` : `${(ms / 1000).toFixed(1)} s`;
  };
  const total = data.calls.reduce((sum, call) => sum + (call.ms ?? 0), 0);

  const row = (call) => {
    const bar = element("span", { class: "bar" });
    bar.style.left = `${total ? Math.min((call.start / total) * 100, 99) : 0}%`;
    bar.style.width = `${total ? ((call.ms ?? 0) / total) * 100 : 0}%`;
    const outcome = element("span", { class: "outcome" }, call.outcome);
    if (call.attempt > 1) outcome.append(element("span", { class: "attempt" }, `attempt ${call.attempt}`));
    const summary = element(
      "summary",
      {},
      element("span", { class: "number" }, String(call.number)),
      element("span", { class: "name" }, element("b", {}, call.title), element("code", {}, call.label)),
      element("span", { class: "track" }, bar),
      element("span", { class: "time" }, duration(call.ms)),
      outcome,
    );
    const details = element("details", { class: call.ok ? "call" : "call bad", id: `call-${call.number}` }, summary);
    // The texts of a closed call are not in the document: a recording may have thousands of them.
    details.addEventListener("toggle", () => {
      if (!details.open || details.childElementCount > 1) return;
      const sections = element("div", { class: "sections" });
      for (const section of call.sections) sections.append(element("h2", {}, section.name), block(section));
      details.append(sections);
    });
    return details;
  };

  const rows = data.calls.map(row);
  const texts = data.calls.map((call) =>
    [call.title, call.label, call.outcome, ...call.sections.flatMap(({ name, text }) => [name, text])]
      .join("\n")
      .toLowerCase(),
  );
  const none = element("p", { class: "none" }, "No call matches.");
  const search = element("input", { type: "search", placeholder: "Search", "aria-label": "Search in all calls" });
  const count = element("span", { class: "summary", role: "status" });

  const filter = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    rows.forEach((node, index) => {
      node.hidden = !words.every((word) => texts[index].includes(word));
      shown += node.hidden ? 0 : 1;
    });
    none.hidden = shown > 0;
    const bad = data.calls.filter((call) => !call.ok).length;
    const calls = `${data.calls.length} call${data.calls.length === 1 ? "" : "s"}`;
    const parts = [words.length ? `${shown} of ${calls}` : calls, duration(total)];
    if (bad) parts.push(`${bad} failed`);
    count.textContent = [...parts, `recorded until ${data.changed}`].join(" · ");
  };

  const setTheme = (theme) => {
    root.dataset.theme = theme;
    toggle.textContent = theme === "dark" ? "Light" : "Dark";
  };
  const toggle = element("button", { type: "button", title: "Change the theme (t)" });
  const changeTheme = () => setTheme(root.dataset.theme === "dark" ? "light" : "dark");
  toggle.addEventListener("click", changeTheme);
  const expand = element("button", { type: "button", title: "Open or close all calls (e)" }, "Expand all");
  const expandAll = () => {
    const visible = rows.filter((node) => !node.hidden);
    const open = visible.some((node) => !node.open);
    for (const node of visible) node.open = open;
    expand.textContent = open ? "Collapse all" : "Expand all";
  };
  expand.addEventListener("click", expandAll);
  search.addEventListener("input", filter);

  const move = (step) => {
    const visible = rows.filter((node) => !node.hidden);
    const current = visible.indexOf(document.activeElement?.closest?.("details"));
    const next = visible[Math.max(0, Math.min(visible.length - 1, current + step))];
    next?.querySelector("summary").focus();
  };
  const KEYS = {
    "/": () => search.focus(),
    j: () => move(1),
    ArrowDown: () => move(1),
    k: () => move(-1),
    ArrowUp: () => move(-1),
    e: expandAll,
    t: changeTheme,
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target === search) {
      if (event.key !== "Escape") return;
      search.value = "";
      filter();
      search.blur();
    } else if (Object.hasOwn(KEYS, event.key) && !(event.target.tagName === "PRE" && event.key.startsWith("Arrow"))) {
      event.preventDefault();
      KEYS[event.key]();
    }
  });

  const hint = element("footer");
  for (const [key, text] of [["/", "search"], ["j", "next"], ["k", "previous"], ["Enter", "open"], ["e", "all"], ["t", "theme"]])
    hint.append(element("kbd", {}, key), ` ${text}  `);
  page.replaceChildren(
    element("header", {}, element("h1", {}, data.title), search, expand, toggle, count),
    ...(data.failure ? [element("h2", {}, "failure"), block({ kind: "error", text: data.failure })] : []),
    element("div", { class: "calls" }, ...rows, none),
    hint,
  );
  // #q=text&open=3&theme=dark makes a link to what one sees.
  setTheme(options.get("theme") ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light"));
  search.value = options.get("q") ?? "";
  filter();
  for (const number of options.getAll("open")) {
    const node = document.getElementById(`call-${number}`);
    if (node) node.open = true;
  }
  root.dataset.ready = "true";
})();
