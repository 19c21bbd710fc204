"""What agents and models are told: templates by name, which a project can replace, and advice on rules.

Repository content goes into a template as `Quoted`; whatever the template does with it, it stands between marker lines
that it can't contain. A project's own templates are `.fanfold/prompts/NAME.md.j2`, its own advice is
`.fanfold/advice/CHECKER/RULE.md`.
"""

from fanfold.prompts.advice import Advice, advice_on
from fanfold.prompts.fence import Quoted
from fanfold.prompts.misnamed import misnamed
from fanfold.prompts.own import own_templates
from fanfold.prompts.render import NAMES, render

__all__ = ["NAMES", "Advice", "Quoted", "advice_on", "misnamed", "own_templates", "render"]
