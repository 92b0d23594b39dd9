from dataclasses import dataclass
@dataclass
class Area: pass
def estimate_area(c): return Area()
