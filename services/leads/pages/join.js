const at = (id) => document.getElementById(id);
const token = location.hash.slice(1);
// Out of the address bar and the history: whoever has the token has the account.
history.replaceState(null, "", location.pathname);

const say = (text, bad = false) => {
  at("message").textContent = text;
  at("message").className = bad ? "bad" : "";
};

const send = async (path, body) => {
  let answer;
  try {
    answer = await fetch(path, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
  } catch {
    return "The service cannot be reached. Please try again.";
  }
  if (answer.ok) return null;
  const problem = await answer.json().catch(() => ({}));
  const field = problem.errors?.[0]?.message;
  return field ?? [problem.title, problem.detail].filter(Boolean).join(". ");
};

const onSubmit = (form, work, done) => {
  form.hidden = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("button");
    button.disabled = true;
    const refusal = await work();
    button.disabled = false;
    if (refusal === null) form.hidden = true;
    say(refusal ?? done, refusal !== null);
  });
};

if (token) {
  const form = at("password-form");
  at("show").addEventListener("change", (event) => {
    at("password").type = event.target.checked ? "text" : "password";
  });
  onSubmit(
    form,
    () => send(form.dataset.sendTo, { token, password: at("password").value }),
    "Your password is set. You can sign in with it now.",
  );
} else if (location.pathname === "/password-reset") {
  onSubmit(
    at("email-form"),
    () => send("/auth/password-reset", { email: at("email").value }),
    "If there is an account with this address, a mail with a link is on its way.",
  );
} else {
  say("This page works only from the link in your invitation. Open the mail and follow it.", true);
}
