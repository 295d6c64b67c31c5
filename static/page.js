// What a page does beyond HTML. Without it everything works, only less comfortably.
(() => {
  const root = document.documentElement;
  const tabs = window.BroadcastChannel ? new BroadcastChannel("login") : { postMessage() {} };
  const dialog = document.querySelector("dialog[data-seconds]");

  // The log-in link says that Clever was asked; a second click does no harm.
  document.querySelectorAll("a[data-waiting]").forEach((link) => {
    const words = link.querySelector("span");
    const before = words.textContent;
    const busy = (on) => {
      words.textContent = on ? link.dataset.waiting : before;
      link[on ? "setAttribute" : "removeAttribute"]("aria-busy", "true");
    };
    link.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      if (link.hasAttribute("aria-busy")) return event.preventDefault();
      busy(true);
      setTimeout(busy, 15000, false); // whoever has stopped it may ask again
    });
    addEventListener("pageshow", () => busy(false)); // Back
  });

  if (document.querySelector("[data-nobody]")) tabs.postMessage({ login: "" });
  if (!dialog) return;

  // Somebody is logged in: their page goes before anybody else sees it.
  const { away, loggedOut, login, warning } = dialog.dataset;
  const form = dialog.querySelector("form");
  let end = Date.now() + dialog.dataset.seconds * 1000;
  let gone = false;
  const left = () => (end - Date.now()) / 1000;
  const say = (what) => dialog.querySelectorAll("[data-say]").forEach((each) => {
    each.hidden = each.dataset.say !== what;
  });
  const leave = (to) => {
    if (gone) return;
    gone = root.hidden = true;
    location.replace(to);
  };
  const goOn = (until) => {
    end = Math.max(end, until);
    if (dialog.open && left() > warning) dialog.close();
  };
  const look = () => {
    if (left() <= 0) return leave(away);
    if (left() > warning || dialog.open) return;
    say("ask");
    dialog.hidden = false;
    dialog.showModal();
  };

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    fetch(form.action, { method: "POST", body: new FormData(form) }).then((answer) => {
      if (answer.status === 400 || answer.status === 401) return leave(away);
      return answer.json().then(({ seconds }) => {
        goOn(Date.now() + seconds * 1000);
        say("over"); // seen only if the dialog is still there: the hours are over, too
        tabs.postMessage({ login, end });
      });
    }).catch(() => say("failed"));
  });
  dialog.addEventListener("cancel", (event) => {
    event.preventDefault();
    form.querySelector("button").click();
  });

  tabs.onmessage = ({ data }) => {
    if (data.login === login) goOn(data.end);
    else leave(data.login ? "/" : loggedOut);
  };
  tabs.postMessage({ login, end });

  // A timer sleeps with the computer: look at the clock whenever somebody may look at the page.
  setInterval(look, 1000);
  ["focus", "pageshow"].forEach((name) => addEventListener(name, look));
  ["visibilitychange", "resume"].forEach((name) => document.addEventListener(name, look));
  addEventListener("pagehide", () => { root.hidden = true; }); // Back shows it as it was left
  addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
})();
