"""What the model says in these tests."""

from __future__ import annotations

TEAS = """\
## Three teas 🍵

Of all we have, *these* are the ones that **sell best**: naïve, 東方美人 and شاي.

1. Green, at 70 °C
2. Black, at 95 °C
   - with milk
   - without
3. Oolong

| Tea | Minutes |
|:----|--------:|
| Green | 2 |
| Oolong 🍃 | 4 |

```python
def brew(tea: str, minutes: int = 3) -> str:
    return f"{tea} for {minutes} min <b>&amp;</b>"
```

> Water first.

- [x] kettle on
- [ ] cup warm

See [the list](https://example.org/teas) and `brew("green")`. The end.
"""
