export const dynamic = 'force-dynamic';

export default async function Page({ searchParams }: { searchParams: Promise<{ ref?: string }> }) {
  const { ref } = await searchParams;
  const isReference = /^[0-9a-f-]{36}$/u.test(ref ?? '');
  return (
    <>
      <h1>Merci, votre message est bien arrivé</h1>
      {isReference && (
        <p>
          Votre référence : <code id="reference">{ref}</code>
        </p>
      )}
    </>
  );
}
