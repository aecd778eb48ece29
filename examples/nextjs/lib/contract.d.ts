declare module 'fastcore-leads-contract' {
  import type { ZodType } from 'zod';

  export function lead(options?: { consentRequired?: boolean }): ZodType;
}
