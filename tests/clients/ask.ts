// A question through the client that openapi-typescript generates, as docs/api.md shows it.
import createClient from "openapi-fetch";
import type { paths } from "./gateway.js";

export async function ask(baseUrl: string, key: string, image: string) {
  // Replies and problem documents, not the events of a reply that is streamed.
  const gateway = createClient<paths, `application/${string}json`>({ baseUrl, headers: { Authorization: `Bearer ${key}` } });
  const { data, error } = await gateway.POST("/vqa", {
    body: { image, question: "What shape is it?", options: ["Round", "Oval", "Spiculated"] },
  });
  if (error !== undefined) throw new Error(`${error.type}: ${error.detail}`);
  // An answer is shown only where the decision is to answer, and called calibrated only where it is.
  const shown = data.decision === "answer" ? (data.answer?.text ?? null) : null;
  return { id: data.id, shown, calibrated: data.calibration.calibrated, reason: data.decision_basis.reason };
}
