-- Which version of its region's dialplan a call walked; unknown of older calls.
ALTER TABLE calls ADD COLUMN dialplan TEXT;
