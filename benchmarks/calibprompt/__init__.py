"""CalibPrompt beside cross-entropy tuning and temperature scaling, on few shots of Phantom-VQA's families."""
