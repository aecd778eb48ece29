// Makes the contact form better where scripts run: it is sent without leaving the page, errors come beside their fields.
// Without this file, and wherever it does not get on, the form is posted as it is, and the server shows the same errors.
'use strict';

(() => {
  const form = document.getElementById('contact');
  // What was written, for the case that a plain post fails and the browser shows a page of its own. For this tab alone.
  const DRAFT = 'contact-draft';
  const inTab = (work) => {
    try {
      return work(window.sessionStorage);
    } catch {
      // It is switched off: the browser alone remembers.
      return null;
    }
  };
  if (!form) {
    // The message has arrived.
    inTab((storage) => storage.removeItem(DRAFT));
    return;
  }
  const texts = form.dataset;
  const button = document.getElementById('send');
  const status = document.getElementById('status');
  const summary = document.getElementById('summary');
  const message = document.getElementById('message');
  const count = document.getElementById('message-count');
  const title = document.title.startsWith(texts.errorTitle) ? document.title.slice(texts.errorTitle.length) : document.title;
  const fields = ['name', 'email', 'phone', 'company', 'service', 'message', 'consent'];
  const TRIES = 3;
  const PATIENCE = 20000;
  let isSending = false;

  const busy = (is) => {
    isSending = is;
    button.setAttribute('aria-disabled', String(is));
    button.textContent = is ? texts.sending : texts.send;
    status.textContent = is ? texts.isBeingSent : '';
  };

  const showErrorsOf = (id, errors) => {
    const place = document.getElementById(`${id}-error`);
    place.textContent = errors.map(({ detail }) => detail).join(' ');
    place.hidden = errors.length === 0;
    const field = document.getElementById(id);
    if (errors.length > 0) field.setAttribute('aria-invalid', 'true');
    else field.removeAttribute('aria-invalid');
  };

  const show = (text, errors = []) => {
    const idOf = ({ pointer }) => pointer.slice(1);
    for (const id of fields) showErrorsOf(id, errors.filter((error) => idOf(error) === id));
    const known = errors.filter((error) => fields.includes(idOf(error)));
    const list = document.getElementById('summary-list');
    list.textContent = '';
    for (const error of known) {
      const link = document.createElement('a');
      link.href = `#${idOf(error)}`;
      link.textContent = error.detail;
      const item = document.createElement('li');
      item.appendChild(link);
      list.appendChild(item);
    }
    document.getElementById('summary-title').textContent = text;
    summary.hidden = text === '';
    document.title = text === '' ? title : `${texts.errorTitle}${title}`;
    if (known.length > 0) document.getElementById(idOf(known[0])).focus();
    else if (text !== '') summary.focus();
  };

  // An empty field is a member that is not there.
  const read = () => {
    const body = { consent: form.elements.consent.checked };
    for (const [name, value] of new FormData(form)) {
      if (name !== 'consent' && value !== '') body[name] = value.replace(/\r\n/g, '\n');
    }
    return JSON.stringify(body);
  };

  const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

  // What a proxy in front says, be it JSON, is no answer of the site.
  const isOurs = (answer) =>
    Boolean(answer) && typeof answer.ok === 'boolean' && typeof (answer.ok ? answer.next : answer.detail) === 'string';

  // `AbortSignal.timeout` is missing before Safari 16: what takes too long is then left alone, and its answer not waited for.
  const ask = (body) => {
    const late = pause(PATIENCE).then(() => Promise.reject(new Error('late')));
    const asked = fetch(form.action, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', Accept: 'application/json' },
      body,
    }).then((response) => response.json());
    return Promise.race([asked, late]);
  };

  // The ticket in the form makes it safe to send again: however often it arrives, it is one message.
  const post = async (body) => {
    for (let attempt = 1; ; attempt += 1) {
      try {
        const answer = await ask(body);
        if (isOurs(answer)) return answer;
        throw new Error('not an answer of the site');
      } catch (error) {
        if (attempt === TRIES) throw error;
      }
      await pause(1000 * attempt);
    }
  };

  // The last resort: something keeps scripts from sending, such as an extension or a rule of the network. The browser posts the form
  // by itself, and the server answers with a page.
  const postPlainly = () => {
    const draft = {};
    for (const id of fields) draft[id] = id === 'consent' ? form.elements[id].checked : form.elements[id].value;
    inTab((storage) => storage.setItem(DRAFT, JSON.stringify(draft)));
    HTMLFormElement.prototype.submit.call(form);
  };

  const restore = () => {
    const draft = inTab((storage) => JSON.parse(storage.getItem(DRAFT)));
    inTab((storage) => storage.removeItem(DRAFT));
    const isEmpty = fields.every((id) => id === 'consent' || form.elements[id].value === '');
    if (!draft || !isEmpty) return;
    for (const id of fields) {
      if (id === 'consent') form.elements[id].checked = draft[id] === true;
      else if (typeof draft[id] === 'string') form.elements[id].value = draft[id];
    }
  };

  const send = async () => {
    busy(true);
    try {
      const answer = await post(read());
      if (answer.ok) {
        show('');
        window.location.assign(answer.next);
        return;
      }
      busy(false);
      show(answer.detail, answer.errors);
    } catch {
      busy(false);
      // Without a network the browser would show a page of its own in place of the form.
      if (navigator.onLine === false) show(texts.notSent);
      else postPlainly();
    }
  };

  form.addEventListener('submit', (event) => {
    if (isSending) {
      event.preventDefault();
      return;
    }
    // What the script needs and the browser does not have: then the form is posted as it is.
    if (typeof fetch !== 'function' || typeof Promise !== 'function' || typeof FormData !== 'function') return;
    event.preventDefault();
    send();
  });

  // A page that comes back from the browser's memory is not sending any more.
  window.addEventListener('pageshow', () => busy(false));
  restore();

  const max = Number(message.dataset.max);
  const showCount = () => {
    const left = max - Array.from(message.value.trim()).length;
    const { leftOne, left: leftMore, overOne, over } = message.dataset;
    if (left >= 200) count.textContent = '';
    else if (left >= 0) count.textContent = (left > 1 ? leftMore : leftOne).replace('{}', String(left));
    else count.textContent = (left < -1 ? over : overOne).replace('{}', String(-left));
  };
  message.addEventListener('input', showCount);
  showCount();
})();
