"""Judges workflow engines and SDKs against the Rochallor contract.

Read from the bottom up; imports go downwards only.

    cli/        the verbs, one module per group of them
    running     one run: plan → results → report
    hunting     one hunt for mutants, on stubs with a defect each
    report/     the NDJSON stream and what is drawn from it
    subjects    from the text of --target to an engine or an SDK
    engine/     an engine as a subject: targets, processes, what it can do, playing a case
    sdk/        an SDK as a subject: drivers, the protocol they speak, playing a case against a stub
    oracles/    what must hold in every case, judged over its journal
    planning, known_failures
    transports/ an operation over REST and over gRPC, the same answers from both
    cases/      the corpus as data: cases, matchers, requirements, mutants, lint
    mutants/    the engine's defects of sdk-contract/mutants.yaml as patches, and the process that carries one
    contract/   operations, errors and shapes, drawn from sdk-contract/

    replay/     a target's answers kept and compared: record, replay, diff, fuzz, model
"""

__version__ = "0.1.0"
