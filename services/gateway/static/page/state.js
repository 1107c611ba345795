// What the page knows: the chosen picture, the question that is being asked, what the gateway allows.

export const state = {
  picture: null,    // { blob, name, frame, window, view }; view: what the models see, once the gateway has said
  asking: null,     // the AbortController of the question on its way
  unanswered: null, // the question that has a key and no answer yet
  shown: null,      // { asked, reply, card } of the answer that is shown
  about: {
    notice: "", signed_in: null, takes_feedback: false, max_risk: null,
    limits: { image_bytes: 20_000_000, options_most: 26 },
  },
};
