import { site } from '../lib/site';
import { issue } from '../lib/ticket';
import { ContactForm } from './contact-form';

// Each form that is shown has an id of its own.
export const dynamic = 'force-dynamic';

export default async function Page() {
  const { pepper } = await site();
  return (
    <>
      <h1>Contactez-nous</h1>
      <ContactForm ticket={issue(pepper)} />
    </>
  );
}
