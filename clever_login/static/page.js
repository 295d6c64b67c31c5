// Progressive enhancement: every page also works without JavaScript.
(() => {
  const root = document.documentElement;
  const tabs = window.BroadcastChannel ? new BroadcastChannel("login") : { postMessage() {} };
  const dialog = document.querySelector("dialog[data-seconds]");

  // After a click, the login link shows that Clever is loading and ignores a second click.
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
      setTimeout(busy, 15000, false); // if the user stopped loading, they can click again
    });
    addEventListener("pageshow", () => busy(false)); // also after the Back button
  });

  // Pages have times in UTC, because the server does not know the time zone of the browser.
  document.querySelectorAll("time[data-style]").forEach((time) => {
    const format = { dateStyle: time.dataset.style, timeStyle: "short" };
    time.textContent = new Date(time.dateTime).toLocaleString(root.lang, format);
  });

  // An update is running: show how far it is. When it has a result, load the page with the result.
  const progress = document.querySelector("[data-progress]");
  const follow = () => setTimeout(() => {
    fetch(location.href, { headers: { Accept: "text/html" } }).then((answer) => {
      if (answer.status >= 500) throw new Error(answer.status);
      return answer.text();
    }).then((html) => {
      const parsed = new DOMParser().parseFromString(html, "text/html");
      const now = parsed.querySelector("[data-progress]");
      if (!now) return location.reload();
      if (now.textContent !== progress.textContent) progress.replaceChildren(...now.childNodes);
      follow();
    }).catch(follow);
  }, 5000);
  if (progress) follow();

  if (document.querySelector("[data-nobody]")) tabs.postMessage({ login: "" });
  if (!dialog) return;

  // A user is logged in: leave the page when the session ends, before anyone else sees it.
  const { away, loggedOut, login, warning } = dialog.dataset;
  const form = dialog.querySelector("form");
  // The user can set the first clock back; the second may stop while the computer sleeps.
  const clocks = [() => Date.now(), () => performance.now()];
  let ends = [0, 0];
  let gone = false;
  const left = () => Math.min(...clocks.map((now, each) => ends[each] - now())) / 1000;
  const say = (what) => dialog.querySelectorAll("[data-say]").forEach((each) => {
    each.hidden = each.dataset.say !== what;
  });
  const leave = (to) => {
    if (gone) return;
    gone = root.hidden = true;
    location.replace(to);
  };
  const goOn = (seconds) => {
    ends = clocks.map((now, each) => Math.max(ends[each], now() + seconds * 1000 || 0));
    if (dialog.open && left() > warning) dialog.close();
  };
  const tell = () => tabs.postMessage({ login, seconds: left(), end: Date.now() + left() * 1000 });
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
      if (!answer.ok) throw new Error(answer.status);
      return answer.json().then(({ seconds }) => {
        goOn(seconds);
        say("over"); // seen only if the dialog stays open: no time is left to add
        tell();
      });
    }).catch(() => say("failed"));
  });
  dialog.addEventListener("cancel", (event) => {
    event.preventDefault();
    form.querySelector("button").click();
  });

  tabs.onmessage = ({ data }) => {
    // A tab that slept gets the message late. A page of an older version names no seconds.
    if (data.login === login) goOn(Math.min(data.seconds, (data.end - Date.now()) / 1000));
    else leave(data.login ? "/" : loggedOut);
  };
  goOn(dialog.dataset.seconds);
  tell();

  // Timers stop while the computer sleeps, so also check the clock when the page becomes visible.
  setInterval(look, 1000);
  ["focus", "pageshow"].forEach((name) => addEventListener(name, look));
  ["visibilitychange", "resume"].forEach((name) => document.addEventListener(name, look));
  addEventListener("pagehide", () => { root.hidden = true; }); // the Back button shows the page as it was left
  addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
})();
