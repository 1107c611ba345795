"""Commands that have models learn: a policy by reinforcement, a contrastive model's context by CalibPrompt."""
