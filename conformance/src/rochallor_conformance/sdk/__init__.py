"""An SDK as a subject: its driver's process, the protocol wf-driver/1, and playing cases against a stub engine.

subject   a whole SDK for a run: stub, driver, one case after the other
player    plays one case; `wire` is what the stub's journal says, `oracles` what must hold in every case
check     judges a driver itself before anybody believes it
client    the protocol: commands and their answers
process   the driver's process, whatever it does
manifest  driver.toml
"""
