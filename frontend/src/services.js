// A chosen photo is shown before it is sent; where it cannot be read, the server will say so.
function show(input) {
  const [file] = input.files;
  const shown = document.querySelector("[data-photo-shown]");
  const none = document.querySelector("[data-photo-none]");
  if (!file || !shown) return;
  const reader = new FileReader();
  reader.addEventListener("load", () => {
    shown.src = reader.result;
    shown.hidden = false;
    if (none) none.hidden = true;
  });
  reader.readAsDataURL(file);
}

document.addEventListener("change", (event) => {
  if (event.target.matches("[data-photo]")) show(event.target);
});
