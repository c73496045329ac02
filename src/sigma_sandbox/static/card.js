// The card page with JavaScript: groups of four digits, the payment system, the slash, test cards.
// The server checks everything; without this file the page works the same.
(() => {
  const number = document.getElementById("number");
  const expiry = document.getElementById("expiry");
  const csc = document.getElementById("csc");
  const brand = document.getElementById("brand");
  const isEnglish = document.documentElement.lang === "en";
  const brands = [
    [/^220[0-4]/, isEnglish ? "Mir" : "Мир"],
    [/^4/, "Visa"],
    [/^5[1-5]/, "Mastercard"],
  ];

  const digits = (text) => text.replace(/\D/g, "");

  // Reformat a field; the caret stays after the same digit.
  const reformat = (field, format) => {
    const digitsBefore = digits(field.value.slice(0, field.selectionStart)).length;
    const text = format(digits(field.value));
    if (text === field.value) return;
    field.value = text;
    let caret = 0;
    for (let count = 0; caret < text.length && count < digitsBefore; caret += 1) {
      if (/\d/.test(text[caret])) count += 1;
    }
    if (digitsBefore === digits(text).length) caret = text.length;
    field.setSelectionRange(caret, caret);
  };

  const showBrand = () => {
    const match = brands.find(([prefix]) => prefix.test(digits(number.value)));
    brand.textContent = match ? match[1] : "";
    brand.hidden = !match;
  };

  const formatNumber = () => {
    reformat(number, (text) => text.slice(0, 19).replace(/(\d{4})(?=\d)/g, "$1 "));
    showBrand();
  };

  const formatExpiry = (event) => {
    if (event && event.inputType === "deleteContentBackward") return;
    reformat(expiry, (text) => {
      const padded = /^[2-9]/.test(text) ? `0${text}` : text;
      const year = padded.length === 6 ? padded.slice(4) : padded.slice(2, 4);
      return padded.length < 2 ? padded : `${padded.slice(0, 2)}/${year}`;
    });
    if (expiry.value.length === 5 && document.activeElement === expiry) csc.focus();
  };

  number.addEventListener("input", formatNumber);
  expiry.addEventListener("input", formatExpiry);
  csc.addEventListener("input", () => reformat(csc, (text) => text.slice(0, 3)));

  document.getElementById("test-cards").addEventListener("click", (event) => {
    const button = event.target.closest("button[data-number]");
    if (!button) return;
    number.value = button.dataset.number;
    expiry.value = `12/${String(new Date().getFullYear() + 2).slice(2)}`;
    csc.value = "123";
    showBrand();
    document.querySelector("button.primary").focus();
    window.scrollTo({ top: 0 });
  });

  formatNumber();
  const invalidField = document.querySelector("[aria-invalid]");
  if (invalidField) invalidField.focus();

  document.querySelector("form.card-form").addEventListener("submit", (event) => {
    const button = event.currentTarget.querySelector("button.primary");
    setTimeout(() => { button.disabled = true; });
    addEventListener("pageshow", () => { button.disabled = false; }, { once: true });
  });
})();
