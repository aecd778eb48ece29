/** Next.js calls this once, when the server starts: what an earlier process left in the spool is delivered. */
export async function register(): Promise<void> {
  if (process.env.NEXT_RUNTIME === 'nodejs') {
    const { site } = await import('./lib/site');
    const { client } = await site();
    client.start();
    // Somebody else may deliver at once.
    process.once('SIGTERM', () => void client.stop());
  }
}
