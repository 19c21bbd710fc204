"""What is asked of the file of lessons, in SQL."""

from __future__ import annotations

from dataclasses import fields

from fanfold.fix.learning.lesson import Lesson

MOST_EXAMPLES = 20
"""Of one rule in one project; the newest stay."""

LESSON = tuple(field.name for field in fields(Lesson))
_NAMES, _MARKS = ", ".join(LESSON), ", ".join("?" for _ in LESSON)
_OF = "(:project IS NULL OR project = :project)"
_FINDINGS = "sum(CASE number WHEN 1 THEN asked ELSE 0 END)"

LEARN = f"""
INSERT INTO tries (project, {_NAMES}) VALUES (?, {_MARKS})
ON CONFLICT (trail, checker, rule) DO UPDATE SET fixed = excluded.fixed
"""  # noqa: S608  (names of fields)
TAKE_IN = f"""
INSERT OR IGNORE INTO tries (project, {_NAMES}) VALUES ((SELECT id FROM projects WHERE token = ?), {_MARKS})
"""  # noqa: S608  (names of fields)
EXAMPLE = "INSERT OR REPLACE INTO examples (project, trail, checker, rule, diff, at_s) VALUES (?, ?, ?, ?, ?, ?)"
TOO_MANY_EXAMPLES = f"""
DELETE FROM examples WHERE (project, checker, rule, trail) IN (
    SELECT project, checker, rule, trail FROM (
        SELECT *, row_number() OVER (PARTITION BY project, checker, rule ORDER BY at_s DESC) AS newer FROM examples
    ) WHERE newer > {MOST_EXAMPLES}
)
"""  # noqa: S608  (a constant)
TALLIES = """
SELECT agent, checker || ' ' || rule, number = 1, project IS :project,
    sum(weight(at_s) * fixed / asked), sum(weight(at_s) * (asked - fixed) / asked)
FROM tries WHERE agent IN (SELECT value FROM json_each(:agents)) AND asked > 0 GROUP BY 1, 2, 3, 4
"""
COSTS = """
SELECT agent, count(*), total(cost_usd), count(cost_usd), total(tokens), count(tokens), total(agent_s) FROM (
    SELECT agent, sum(cost_usd) AS cost_usd, sum(tokens) AS tokens, sum(agent_s) AS agent_s
    FROM tries WHERE agent IN (SELECT value FROM json_each(:agents)) GROUP BY trail, agent
) GROUP BY agent
"""
_SUMS = f"""{_FINDINGS} AS findings, sum(fixed) AS fixed, count(DISTINCT trail) AS tries,
    CASE count(cost_usd) WHEN count(*) THEN sum(cost_usd) END AS cost_usd,
    CASE count(tokens) WHEN count(*) THEN sum(tokens) END AS tokens, sum(agent_s) AS agent_s"""
TOTALS = f"""
SELECT agent, checker, rule, {_SUMS} FROM tries WHERE {_OF} GROUP BY agent, checker, rule ORDER BY agent, checker, rule
"""  # noqa: S608  (constants)
OF_AGENTS = f"""
SELECT agent, '' AS checker, '' AS rule, {_SUMS} FROM tries WHERE {_OF} GROUP BY agent ORDER BY agent
"""  # noqa: S608  (constants)
PROGRESS = f"""
SELECT agent, date(at_s, 'unixepoch'), {_FINDINGS}, sum(fixed) FROM tries WHERE {_OF} GROUP BY 1, 2 ORDER BY 1, 2
"""  # noqa: S608  (constants)
EXAMPLES = """
SELECT checker || ' ' || rule, diff FROM examples JOIN projects ON projects.id = project
WHERE place = :place AND checker || ' ' || rule IN (SELECT value FROM json_each(:rules))
ORDER BY at_s DESC, length(diff)
"""
LESSONS = f"""
SELECT token, {_NAMES} FROM tries JOIN projects ON projects.id = project WHERE {_OF} ORDER BY at_s, trail, rule
"""  # noqa: S608  (names of fields)
COUNT = f"SELECT count(DISTINCT trail) FROM tries WHERE {_OF}"  # noqa: S608  (a constant)
FORGET = "DELETE FROM projects WHERE :project IS NULL OR id = :project"
FORGET_OLD = "DELETE FROM tries WHERE at_s < ?"
