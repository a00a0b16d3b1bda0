"""The platforms as local HTTP servers: seeded, faithful to the traps, with faults on demand.

with Sandbox(people=60, seed=1) as sandbox:
    sandbox.about()["strive"]                         # an account to sync
    sandbox.strive.opt_out(1001)                      # act as a human
    sandbox.faults.add("lost", method="POST")         # make the next POST go wrong
    assert not any(sandbox.harm().values())           # nothing was destroyed
"""

from daemon.sandbox.faults import Fault, Faults
from daemon.sandbox.sandbox import Call, Sandbox
from daemon.sandbox.serve import serve
from daemon.sandbox.strive import StriveModel
from daemon.sandbox.telerivet import TelerivetModel

__all__ = ["Call", "Fault", "Faults", "Sandbox", "StriveModel", "TelerivetModel", "serve"]
