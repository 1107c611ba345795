"""Recipe of a contrastive model of real parts: VQA-RAD's pictures teach a projection between them."""
