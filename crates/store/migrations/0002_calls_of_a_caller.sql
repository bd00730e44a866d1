-- Every new call asks which lawyer its caller spoke with last, and how often they have called of late.
CREATE INDEX calls_by_caller ON calls (caller, arrived_ms);
