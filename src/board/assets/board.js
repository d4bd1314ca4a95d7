// Keeps a page up to date: replaces the parts that changed, and says loudly
// when it cannot. Without it every page works, and says that it stands still.
(function () {
  'use strict';
  const PATIENCE_MS = 10000;
  const AGAIN_MS = 1500;
  const REFUSED_MS = 5000;
  const root = document.documentElement;
  const lost = document.getElementById('lost');
  const said = document.getElementById('said');
  let stream = null;
  let busy = false;
  let wanted = false;
  let out = false;
  // Both clocks: the one does not run while the machine sleeps, the other may be set back.
  let known = now();

  function now() { return { wall: Date.now(), run: performance.now() }; }

  // As of when the page is, in the site's own zone.
  function time() { return document.getElementById('asof-time'); }

  function age() { return Math.max(Math.abs(Date.now() - known.wall), performance.now() - known.run); }

  // What is shown is what holds.
  function current() {
    known = now();
    root.classList.add('is-live');
    root.classList.remove('is-lost');
    lost.hidden = true;
    lost.textContent = '';
  }

  function look() {
    if (age() < PATIENCE_MS && !out) { return; }
    root.classList.remove('is-live');
    root.classList.add('is-lost');
    const text = out ? lost.dataset.out : lost.dataset.lost.replace('{time}', time().textContent);
    if (lost.hidden || lost.textContent !== text) {
      lost.hidden = false;
      lost.textContent = text;
    }
  }

  function same(focused) {
    if (!focused || focused === document.body) { return null; }
    if (focused.id) { return '#' + CSS.escape(focused.id); }
    const href = focused.getAttribute('href');
    return href ? 'a[href="' + CSS.escape(href) + '"]' : null;
  }

  function replace(fresh) {
    document.querySelectorAll('[data-live][id]').forEach(function (part) {
      const other = fresh.getElementById(part.id);
      if (!other || other.outerHTML === part.outerHTML) { return; }
      const open = Array.from(part.querySelectorAll('details[open][id]'), function (it) { return it.id; });
      const focus = part.contains(document.activeElement) ? same(document.activeElement) : null;
      const put = document.importNode(other, true);
      open.forEach(function (id) {
        const details = put.querySelector('#' + CSS.escape(id));
        if (details) { details.open = true; }
      });
      if (put.dataset.say && put.dataset.say !== part.dataset.say) { said.textContent = put.dataset.say; }
      part.replaceWith(put);
      if (focus) {
        const again = put.querySelector(focus);
        if (again) { again.focus({ preventScroll: true }); }
      }
    });
    document.title = fresh.title || document.title;
  }

  function fetchPage() {
    if (busy) { wanted = true; return; }
    busy = true;
    wanted = false;
    const stop = new AbortController();
    const limit = setTimeout(function () { stop.abort(); }, PATIENCE_MS);
    fetch(location.href, { cache: 'no-store', credentials: 'same-origin', signal: stop.signal })
      .then(function (answer) {
        // Led to the login, or turned away: what is shown is nobody's any more.
        out = (answer.redirected && new URL(answer.url).pathname !== location.pathname) || answer.status === 401 || answer.status === 403;
        if (!answer.ok || out) { throw new Error(String(answer.status)); }
        return answer.text();
      })
      .then(function (text) {
        replace(new DOMParser().parseFromString(text, 'text/html'));
        current();
      })
      .catch(function () { wanted = !out; look(); })
      .finally(function () {
        clearTimeout(limit);
        busy = false;
        if (wanted) { setTimeout(fetchPage, AGAIN_MS); }
      });
  }

  function follow() {
    if (stream || out) { return; }
    stream = new EventSource('/live');
    // The first word of every stream: the page may have missed something before it.
    stream.addEventListener('changed', fetchPage);
    stream.addEventListener('beat', function (event) {
      if (busy || wanted) { return; }
      time().textContent = event.data;
      current();
    });
    stream.addEventListener('error', function () {
      // Closed for good, by a refusal: the browser does not try again by itself.
      if (stream && stream.readyState === EventSource.CLOSED) {
        stream = null;
        setTimeout(follow, REFUSED_MS);
        fetchPage();
      }
    });
  }

  function rest() {
    if (stream) { stream.close(); stream = null; }
  }

  // A hidden page gives its connection back: a browser has six for a service.
  document.addEventListener('visibilitychange', function () {
    if (document.hidden) { rest(); } else { look(); follow(); fetchPage(); }
  });
  window.addEventListener('pagehide', rest);
  window.addEventListener('pageshow', function (event) { if (event.persisted) { look(); follow(); fetchPage(); } });
  setInterval(look, 1000);
  follow();
}());
