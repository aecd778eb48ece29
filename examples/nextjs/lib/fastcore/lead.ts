/** What a visitor wrote, after validation. */
export interface Lead {
  name: string;
  email: string;
  phone?: string;
  company?: string;
  service?: string;
  message: string;
  consent: boolean;
}

/** What the site says of it. */
export interface Meta {
  source: string;
  request_id: string;
  ip_hash: string;
  user_agent_hash?: string;
  timestamp_utc: string;
  consent?: { version: string; locale: string; given_at: string };
  suspicion: string[];
}

/** A request's body. */
export type Body = Lead & { meta: Meta };
