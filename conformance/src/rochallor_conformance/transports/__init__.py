"""How an operation of the contract is carried out: one module per transport, the same answers from both."""
