-- Gives theorems, proofs and callouts their title line, and refuses what would go wrong silently.
-- Runs before crossref.lua, which puts the numbers in.

local THEOREMS = {
  thm = 'Theorem', lem = 'Lemma', cor = 'Corollary', prp = 'Proposition',
  cnj = 'Conjecture', def = 'Definition', exm = 'Example', exr = 'Exercise',
}
local PROOFS = {proof = 'Proof', remark = 'Remark', solution = 'Solution'}
local CALLOUTS = {note = 'Note', warning = 'Warning', tip = 'Tip', important = 'Important',
  caution = 'Caution'}
-- What LaTeX means and pandoc's Typst writer prints as something else, without a warning.
local BAD_MATHS = {
  {'\\!', 'leave it out'}, {'\\;', 'write \\, or \\quad'}, {'\\enspace', 'write \\quad'},
  {'\\hspace', 'write \\quad'}, {'\\big\\|', 'write \\,\\|\\, instead'},
  {'\\Big\\|', 'write \\,\\|\\, instead'}, {'\\bigg\\|', 'write \\,\\|\\, instead'},
  {'\\|^', 'write \\lVert x \\rVert^2'}, {'\\|_', 'write \\lVert x \\rVert_2'},
  {'\\operatorname*', 'write \\arg\\max'}, {'{vmatrix}', 'write \\det'},
  {'\\tag', 'write {#eq-name} behind the $$'}, {'\\label', 'write {#eq-name} behind the $$'},
  {'\\eqref', 'write @eq-name'}, {'\\notag', 'leave it out'},
}

-- The words between the markers reach the reader; what pandoc adds around them does not.
local function refuse(message, needle)
  error('REFUSED<' .. message .. '>NEAR<' .. (needle or '') .. '>')
end

-- A div's name: its first heading, or its attribute. Taken out of the div.
local function take_name(div, attribute)
  local first = div.content[1]
  if first and first.t == 'Header' then
    div.content:remove(1)
    return first.content
  end
  local name = div.attributes[attribute]
  if not name then return nil end
  div.attributes[attribute] = nil
  return pandoc.utils.blocks_to_inlines(pandoc.read(name, 'markdown').blocks)
end

local function no_attributes_left(div)
  for name in pairs(div.attributes) do
    refuse('the attribute ' .. name .. ' of a div is not supported; leave it out', name .. '=')
  end
end

local function entitled(div, title, class, attributes)
  no_attributes_left(div)
  div.content:insert(1, pandoc.Div({pandoc.Plain(title)}, pandoc.Attr('', {'title'})))
  return pandoc.Div(div.content, pandoc.Attr(div.identifier, class, attributes))
end

local function with_name(title, name)
  local out = pandoc.Inlines {pandoc.Str(title)}
  if name then
    out:extend({pandoc.Space(), pandoc.Str('(')})
    out:extend(name)
    out:insert(pandoc.Str(')'))
  end
  return out
end

function Div(div)
  local kind = div.identifier:match('^(%l+)%-.+$')
  if THEOREMS[kind] then
    local title = with_name(THEOREMS[kind], take_name(div, 'name'))
    return entitled(div, title, {'theorem', kind}, {title = THEOREMS[kind]})
  end
  for class, title in pairs(PROOFS) do
    if div.classes:includes(class) then
      return entitled(div, with_name(title, take_name(div, 'name')), {'proof', class})
    end
  end
  for class, title in pairs(CALLOUTS) do
    if div.classes:includes('callout-' .. class) then
      local name = take_name(div, 'title') or pandoc.Inlines {pandoc.Str(title)}
      return entitled(div, name, {'callout', 'callout-' .. class})
    end
  end
end

local function letter_follows(text, stop)
  return text:sub(stop + 1, stop + 1):match('%a') ~= nil
end

function Math(math)
  for _, pair in ipairs(BAD_MATHS) do
    local start, stop = math.text:find(pair[1], 1, true)
    local longer = start and pair[1]:match('%a$') and letter_follows(math.text, stop)
    if start and not longer then
      refuse('the maths has ' .. pair[1] .. ', which goes wrong in the PDF; ' .. pair[2],
        math.text)
    end
  end
end

-- Comments, and definitions of macros, which pandoc has already applied.
local function says_nothing(raw)
  return raw.format == 'html' and raw.text:match('^%s*<!%-%-.*%-%->%s*$')
    or raw.format == 'tex' and raw.text:match('^%s*\\r?e?newcommand')
end

local function refuse_raw(raw)
  if says_nothing(raw) then return {} end
  if raw.format == 'html5' then return nil end  -- a cell's own, see markdown.py
  refuse('raw ' .. raw.format .. ' would reach one of the two outputs at most; write markdown',
    raw.text)
end

RawBlock = refuse_raw
RawInline = refuse_raw
