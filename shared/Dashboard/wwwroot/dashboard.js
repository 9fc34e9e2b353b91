// What pages do by themselves: switch colours, and copy texts. Everything else is the server's.
"use strict";
(() => {
  const themes = ["system", "light", "dark"];
  document.addEventListener("click", async (event) => {
    if (event.target.closest(".skip")) {
      // The address is the page's own: there is nothing to load, and the place to go on from is what counts.
      event.preventDefault();
      document.getElementById("content").focus();
      return;
    }
    const button = event.target.closest("[data-switch-theme], [data-copy]");
    if (!button) return;
    if (button.matches("[data-switch-theme]")) {
      const root = document.documentElement;
      const theme = themes[(themes.indexOf(root.dataset.theme) + 1) % themes.length];
      root.dataset.theme = theme;
      document.cookie = `theme=${theme}; path=/; max-age=31536000; samesite=strict`;
      button.title = `Colours: ${theme}`;
      return;
    }
    await navigator.clipboard.writeText(button.closest("figure").querySelector("pre").textContent);
    button.classList.add("copied");
    button.addEventListener("pointerleave", () => button.classList.remove("copied"), { once: true });
  });
})();
