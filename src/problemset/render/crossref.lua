-- Numbers floats, equations, theorems and sections, and resolves @references.
-- Both outputs get their numbers from here, so that they cannot differ.
-- What it leaves is neutral: divs, spans and links that page.lua and paper.lua draw.

local FLOATS = {fig = 'Figure', tbl = 'Table'}
local REFERABLE = {fig = true, tbl = true, eq = true, sec = true, thm = true, lem = true,
  cor = true, prp = true, cnj = true, def = true, exm = true, exr = true}

local labels = {}   -- identifier -> {title = 'Figure', number = '3'}
local order = {}    -- identifiers as they come, for the list that is written at the end
local counters = {}

-- The words between the markers reach the reader; what pandoc adds around them does not.
local function refuse(message, needle)
  error('REFUSED<' .. message .. '>NEAR<' .. (needle or '') .. '>')
end

local function kind_of(identifier)
  return identifier:match('^(%l+)%-.+$')
end

local function register(identifier, title, number)
  if labels[identifier] then
    refuse('the label ' .. identifier .. ' is used twice; give each its own', identifier)
  end
  labels[identifier] = {title = title, number = number}
  order[#order + 1] = identifier
end

local function next_number(kind)
  counters[kind] = (counters[kind] or 0) + 1
  return tostring(counters[kind])
end

local function float(identifier, content, caption)
  local kind = kind_of(identifier)
  local number = next_number(kind)
  register(identifier, FLOATS[kind], number)
  content:insert(pandoc.Div({pandoc.Plain(caption)}, pandoc.Attr('', {'caption'})))
  return pandoc.Div(content, pandoc.Attr(identifier, {'float', kind},
    {title = FLOATS[kind], number = number}))
end

local function caption_of(div)
  local last = div.content[#div.content]
  if #div.content < 2 or last.t ~= 'Para' then
    refuse(div.identifier .. ' has no caption; end the div with a paragraph that is one',
      div.identifier)
  end
  div.content:remove(#div.content)
  return last.content
end

local function number_theorem(div)
  local number = next_number(kind_of(div.identifier))
  register(div.identifier, div.attributes.title, number)
  local title = div.content[1].content[1].content
  title[1] = pandoc.Str(div.attributes.title .. '\u{a0}' .. number)
  div.attributes.title = nil
  return div
end

local function number_figure(figure)
  if kind_of(figure.identifier) ~= 'fig' then
    refuse('an image with a caption needs a label, as in {#fig-name fig-alt="..."}',
      pandoc.utils.stringify(figure.caption.long))
  end
  local caption = pandoc.utils.blocks_to_inlines(figure.caption.long)
  return float(figure.identifier, figure.content, caption), false
end

local function number_table(tbl)
  local caption = pandoc.utils.blocks_to_inlines(tbl.caption.long)
  if kind_of(tbl.identifier) ~= 'tbl' then
    if #caption == 0 then return nil end
    refuse('a table with a caption needs a label, as in ": caption {#tbl-name}"',
      pandoc.utils.stringify(caption))
  end
  local identifier = tbl.identifier
  tbl.identifier = ''
  tbl.caption = {long = pandoc.Blocks {}}
  return float(identifier, pandoc.Blocks {tbl}, caption), false
end

local number_blocks = {
  traverse = 'topdown',
  Div = function(div)
    if div.classes:includes('theorem') then return number_theorem(div) end
    if not FLOATS[kind_of(div.identifier)] then return nil end
    return float(div.identifier, div.content, caption_of(div)), false
  end,
  Figure = number_figure,
  Table = number_table,
}

local function drop_space(inlines)
  local last = inlines[#inlines]
  if last and (last.t == 'Space' or last.t == 'SoftBreak') then inlines:remove(#inlines) end
end

-- $$...$$ {#eq-name}: pandoc reads the label as a word behind the equation.
local function number_equations(block)
  local out = pandoc.Inlines {}
  for _, inline in ipairs(block.content) do
    local label, rest
    if inline.t == 'Str' then label, rest = inline.text:match('^{#(eq%-[^}%s]+)}(.*)$') end
    if label then
      drop_space(out)
      local math = out[#out]
      if not math or math.t ~= 'Math' or math.mathtype ~= 'DisplayMath' then
        refuse('the label ' .. label .. ' stands behind no display equation; write it on the '
          .. 'line of the closing $$', label)
      end
      local number = next_number('eq')
      register(label, 'Equation', number)
      out[#out] = pandoc.Span({math}, pandoc.Attr(label, {'equation'}, {number = number}))
      if rest ~= '' then out:insert(pandoc.Str(rest)) end
    else
      out:insert(inline)
    end
  end
  block.content = out
  return block
end

local depth, appendix = {}, false

local function top_level(doc)
  local smallest = 7
  doc:walk {Header = function(header) smallest = math.min(smallest, header.level) end}
  return smallest
end

local function number_header(header, top)
  if header.classes:includes('unnumbered') then return nil end
  local level = header.level - top + 1
  if header.classes:includes('appendix') and level == 1 and not appendix then
    appendix, depth = true, {}
    header.attributes['first-appendix'] = 'yes'
  end
  for i = 1, level do depth[i] = depth[i] or 0 end
  depth[level] = depth[level] + 1
  for i = level + 1, #depth do depth[i] = nil end
  local words = pandoc.List(depth):map(tostring)
  if appendix then words[1] = string.char(64 + depth[1]) end
  header.attributes.number = table.concat(words, '.')
  if kind_of(header.identifier) == 'sec' then
    local title = (appendix and level == 1) and 'Appendix' or 'Section'
    register(header.identifier, title, header.attributes.number)
  end
  return header
end

local function reference(one)
  local label = labels[one.id]
  if not label then
    refuse('@' .. one.id .. ' refers to nothing; label something {#' .. one.id
      .. '} (a section also needs number-sections: true)', '@' .. one.id)
  end
  local text = pandoc.Inlines {pandoc.Str(label.title .. '\u{a0}' .. label.number)}
  if one.mode == 'SuppressAuthor' then
    text = pandoc.Inlines {pandoc.Str(label.number)}
  elseif #one.prefix > 0 then
    text = pandoc.Inlines(one.prefix)
    text:insert(pandoc.Str('\u{a0}' .. label.number))
  end
  return pandoc.Link(text, '#' .. one.id, '', pandoc.Attr('', {'xref'}))
end

local function resolve(cite)
  local out, found = pandoc.Inlines {}, 0
  for i, one in ipairs(cite.citations) do
    if REFERABLE[kind_of(one.id)] then
      found = found + 1
      if i > 1 then out:extend({pandoc.Str(','), pandoc.Space()}) end
      out:insert(reference(one))
    end
  end
  if found == 0 then return nil end
  if found < #cite.citations then
    refuse('cross references and citations stand in one bracket; write two',
      '@' .. cite.citations[1].id)
  end
  return out
end

local function write_labels(path)
  local list = {}
  for i, identifier in ipairs(order) do
    list[i] = {identifier, labels[identifier].title, labels[identifier].number}
  end
  local file = assert(io.open(path, 'w'))
  file:write(pandoc.json.encode(list))
  file:close()
end

function Pandoc(doc)
  doc = doc:walk(number_blocks)
  doc = doc:walk {Para = number_equations, Plain = number_equations}
  if doc.meta['number-sections'] then
    local top = top_level(doc)
    doc = doc:walk {Header = function(header) return number_header(header, top) end}
  end
  if doc.meta['labels-file'] then write_labels(pandoc.utils.stringify(doc.meta['labels-file'])) end
  return doc:walk {Cite = resolve}
end
