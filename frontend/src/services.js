// Shows a chosen photo before the upload. A file that is not an image is refused by the server.
function preview(input) {
  const [file] = input.files;
  const image = document.querySelector("[data-photo-preview]");
  const placeholder = document.querySelector("[data-photo-placeholder]");
  if (!file || !image) return;
  const reader = new FileReader();
  reader.addEventListener("load", () => {
    image.src = reader.result;
    image.hidden = false;
    if (placeholder) placeholder.hidden = true;
  });
  reader.readAsDataURL(file);
}

document.addEventListener("change", (event) => {
  if (event.target.matches("[data-photo]")) preview(event.target);
});
