'use client';

import { useState, type FormEvent } from 'react';
import { CONSENT, SERVICES } from '../lib/texts';

interface FieldError {
  pointer: string;
  detail: string;
}

/** The form. Without scripts it is posted as it is; with them, errors come beside their fields. */
export function ContactForm({ ticket }: { ticket: string }) {
  const [problem, setProblem] = useState('');
  const [errors, setErrors] = useState<FieldError[]>([]);
  const [isSending, setIsSending] = useState(false);

  const send = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    if (isSending) return;
    setIsSending(true);
    const form = event.currentTarget;
    const body: Record<string, unknown> = { ...Object.fromEntries(new FormData(form)), consent: form.consent.checked };
    try {
      const response = await fetch(form.action, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify(body),
      });
      const answer = await response.json();
      if (answer.ok === true) {
        window.location.assign(answer.next);
        return;
      }
      if (typeof answer.detail !== 'string') throw new Error('not an answer of this site');
      setProblem(answer.detail);
      setErrors(answer.errors);
      setIsSending(false);
    } catch {
      setIsSending(false);
      // Something keeps scripts from sending: the browser posts the form by itself.
      if (navigator.onLine) HTMLFormElement.prototype.submit.call(form);
      else setProblem('L’envoi n’a pas abouti. Votre message est toujours là : envoyez-le de nouveau dans un instant.');
    }
  };

  const error = (id: string) =>
    errors
      .filter(({ pointer }) => pointer === `/${id}`)
      .map(({ detail }) => (
        <span className="error" id={`${id}-error`} key={detail}>
          {detail}
        </span>
      ));
  const input = (id: string, label: string, type: string, autoComplete: string) => (
    <p>
      <label htmlFor={id}>{label}</label>
      {error(id)}
      <input id={id} name={id} type={type} autoComplete={autoComplete} aria-describedby={`${id}-error`} />
    </p>
  );

  return (
    <form id="contact" method="post" action="/api/forms/contact" noValidate onSubmit={send}>
      {problem && (
        <div role="alert">
          <h2>{problem}</h2>
        </div>
      )}
      <input type="hidden" name="ticket" value={ticket} />
      {input('name', 'Nom', 'text', 'name')}
      {input('email', 'Adresse e-mail', 'email', 'email')}
      {input('phone', 'Téléphone', 'tel', 'tel')}
      {input('company', 'Entreprise', 'text', 'organization')}
      <p>
        <label htmlFor="service">Sujet</label>
        {error('service')}
        <select id="service" name="service">
          <option value="">Choisissez un sujet</option>
          {SERVICES.map(([value, label]) => (
            <option value={value} key={value}>
              {label}
            </option>
          ))}
        </select>
      </p>
      <p>
        <label htmlFor="message">Message</label>
        {error('message')}
        <textarea id="message" name="message" rows={7} aria-describedby="message-error" />
      </p>
      <p hidden>
        <input name="suite" tabIndex={-1} autoComplete="off" data-1p-ignore="" data-lpignore="true" />
      </p>
      <p>
        <input id="consent" name="consent" type="checkbox" value="true" />
        <label htmlFor="consent">{CONSENT.text}</label>
        {error('consent')}
      </p>
      <button id="send" type="submit" aria-disabled={isSending}>
        {isSending ? 'Envoi en cours…' : 'Envoyer'}
      </button>
    </form>
  );
}
