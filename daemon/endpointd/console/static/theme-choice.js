/** Let the theme be chosen; "auto" is what the system says. */
export function chooseTheme() {
  const select = document.querySelector("#theme");
  if (!select) return;
  select.value = document.documentElement.dataset.theme ?? "auto";
  select.addEventListener("change", () => {
    if (select.value === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = select.value;
    try {
      localStorage.setItem("theme", select.value);
    } catch {
      // It holds for this page then.
    }
  });
}
