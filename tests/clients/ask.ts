// A question through the client that openapi-typescript generates, as docs/api.md shows it.
import createClient from "openapi-fetch";
import type { paths } from "./gateway.js";

export async function ask(baseUrl: string, key: string, image: string) {
  // Replies and problem documents, not the events of a reply that is streamed.
  const gateway = createClient<paths, "application/json" | "application/problem+json">({ baseUrl, headers: { Authorization: `Bearer ${key}` } });
  const { data, error } = await gateway.POST("/vqa", {
    body: { image, question: "What shape is it?", options: ["Round", "Oval", "Spiculated"] },
  });
  if (error !== undefined) throw new Error(`${error.type}: ${error.detail}`);
  // There is none where the question is left to a person. It is called calibrated only where it is.
  const shown = data.answer?.text ?? null;
  return { id: data.id, shown, calibrated: data.calibration.calibrated, reason: data.decision_basis.reason };
}
