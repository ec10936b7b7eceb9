"""An SDK as a subject: its driver's process, the protocol wf-driver/1, and playing cases against a stub engine.

Read from the bottom up; imports go downwards only.

    subject       a whole SDK for a run: stub, driver, one case after the other
    player        plays one case; `judging` compares, `oracles` say what must hold in every case
    check         judges a driver itself before anybody believes it
    scaffold      drivers to begin with, one folder of `templates/` per language
    stub, wire    the engine that an SDK talks to, and what its journal says the SDK sent
    client        the protocol: commands and their answers
    process       the driver's process, whatever it does
    capabilities, manifest, messages
"""
