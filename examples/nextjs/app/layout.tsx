import type { ReactNode } from 'react';

export const metadata = { title: 'Contact – FAST Tech Services' };

export default function Layout({ children }: { children: ReactNode }) {
  return (
    <html lang="fr">
      <body>
        <main>{children}</main>
      </body>
    </html>
  );
}
