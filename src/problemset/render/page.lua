-- Draws the neutral divs and spans as HTML.

local function refuse(message, needle)
  error('REFUSED<' .. message .. '>NEAR<' .. (needle or '') .. '>')
end

local function raw_block(text) return pandoc.RawBlock('html', text) end

local function take(div, position)
  local inner = div.content[position]
  div.content:remove(position)
  return inner.content[1].content
end

local function caption(div)
  local label = div.attributes.title .. '\u{a0}' .. div.attributes.number .. ':'
  local out = pandoc.Inlines {
    pandoc.Span({pandoc.Str(label)}, pandoc.Attr('', {'caption-label'})), pandoc.Space()}
  out:extend(take(div, #div.content))
  return out
end

local function figure(div)
  local long = pandoc.Blocks {pandoc.Plain(caption(div))}
  return pandoc.Figure(div.content, {long = long}, pandoc.Attr(div.identifier, {'float'}))
end

local function captioned_table(div)
  local long = pandoc.Blocks {pandoc.Plain(caption(div))}
  local found = false
  local content = div.content:walk {
    Table = function(tbl)
      if found then return nil end
      found = true
      tbl.caption = {long = long}
      return tbl
    end,
  }
  if not found then
    refuse(div.identifier .. ' holds no table; show a markdown table in it', div.identifier)
  end
  return pandoc.Div(content, pandoc.Attr(div.identifier, {'float', 'table'}))
end

-- Title and first paragraph on one line, as Quarto does.
local function run_in(div, title)
  local span = pandoc.Span(title, pandoc.Attr('', {'title'}))
  local first = div.content[1]
  if first and first.t == 'Para' then
    first.content:insert(1, pandoc.Space())
    first.content:insert(1, span)
  else
    div.content:insert(1, pandoc.Para {span})
  end
  return div
end

function Div(div)
  if div.classes:includes('float') then
    return div.classes:includes('tbl') and captioned_table(div) or figure(div)
  elseif div.classes:includes('theorem') or div.classes:includes('proof') then
    return run_in(div, take(div, 1))
  elseif div.classes:includes('callout') then
    div.content[1].classes = {'callout-title'}
    div.attributes.role = 'note'
    return div
  end
end

function Span(span)
  if not span.classes:includes('equation') then return nil end
  local number = '(' .. span.attributes.number .. ')'
  span.attributes.number = nil
  span.content:insert(pandoc.Span({pandoc.Str(number)}, pandoc.Attr('', {'number'})))
  return span
end

-- Browsers set MathML's functions without the thin spaces that TeX and Typst put around them.
local FUNCTIONS = {'log', 'ln', 'exp', 'sin', 'cos', 'tan', 'min', 'max', 'sup', 'inf', 'lim', 'det'}

local function needs_space_behind(rest)
  local command = rest:match('^\\(%a+)')
  if command then return not (command:match('^[bB]ig') or command:match('quad$')) end
  return rest:match('^%w') ~= nil
end

local function needs_space_before(done)
  if done:match('\\%a+$') or done:match('\\begin{%a+%*?}$') then return false end
  return done:match('[%w%)%]}\']$') ~= nil
end

local function spaced(tex, name)
  local done = ''
  while true do
    local first, last = tex:find('\\' .. name .. '%f[%A]%s*')
    if not first then return done .. tex end
    done = done .. tex:sub(1, first - 1)
    tex = tex:sub(last + 1)
    local before = needs_space_before(done:gsub('%s+$', '')) and '\\,' or ''
    local behind = needs_space_behind(tex) and '\\,' or ' '
    done = done .. before .. '\\' .. name .. behind
  end
end

-- The sign of a prime stands high already: as an exponent it would be raised twice.
local PRIMES = {"'''", "''", "'"}
local SIGNS = {'\u{2034}', '\u{2033}', '\u{2032}'}

function Math(math)
  for _, name in ipairs(FUNCTIONS) do math.text = spaced(math.text, name) end
  for n, prime in ipairs(PRIMES) do
    math.text = math.text:gsub('%f[%a](%a)' .. prime, '%1' .. SIGNS[n])
  end
  return math
end

-- A browser may break a line between MathML and the bracket or comma beside it.
function Inlines(inlines)
  local out, together, formula = pandoc.Inlines {}, pandoc.Inlines {}, false
  local function close()
    if formula and #together > 1 then
      out:insert(pandoc.Span(together, pandoc.Attr('', {'nobr'})))
    else
      out:extend(together)
    end
    together, formula = pandoc.Inlines {}, false
  end
  for _, one in ipairs(inlines) do
    local math = one.t == 'Math' and one.mathtype == 'InlineMath'
    if math or one.t == 'Str' then
      together:insert(one)
      formula = formula or math
    else
      close()
      out:insert(one)
    end
  end
  close()
  return out
end

function Image(image)
  local alt = image.attributes['fig-alt'] or image.attributes.alt
  if not alt or alt == '' then
    refuse('the image ' .. image.src .. ' has no alternative text; add fig-alt', image.src)
  end
  image.attributes['fig-alt'] = nil
  image.attributes.alt = alt
  return image
end

function CodeBlock(block)
  local fold = block.attributes['code-fold']
  if not fold then return nil end
  block.attributes['code-fold'] = nil
  local open = fold == 'show' and '<details open class="code-fold">' or '<details class="code-fold">'
  return {raw_block(open .. '<summary>Code</summary>'), block, raw_block('</details>')}
end

function Header(header)
  header.attributes['first-appendix'] = nil
  return header
end

-- A landmark for screen readers; pandoc's own template has none. It ends in pandoc.py, behind the
-- footnotes, which pandoc puts at the end.
function Pandoc(doc)
  doc.blocks:insert(1, raw_block('<main>'))
  return doc
end
