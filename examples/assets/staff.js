// What the staff's pages do better with scripts; they work without.
'use strict';

// New leads are told of as they come, while somebody looks.
const news = document.querySelector('[data-live]');
if (news && 'EventSource' in window) {
  let source;
  // What the page shows, where that is the newest.
  let known = news.dataset.newest;
  const listen = () => {
    if (document.hidden) {
      source?.close();
      source = undefined;
    } else if (!source) {
      source = new EventSource(news.dataset.live);
      source.addEventListener('newest', ({ data }) => {
        known ??= data;
        if (data && data !== known) news.querySelector('span').hidden = false;
      });
    }
  };
  document.addEventListener('visibilitychange', listen);
  listen();
}

// A form is sent once, however often its button is pressed.
document.addEventListener('submit', (event) => {
  const form = event.target;
  if (form.method !== 'post' || form.action.endsWith('/export')) return;
  if (form.dataset.sent) event.preventDefault();
  form.dataset.sent = 'true';
});
// Back to a page that the browser kept: its forms can be sent again.
window.addEventListener('pageshow', () => {
  for (const form of document.forms) delete form.dataset.sent;
});
