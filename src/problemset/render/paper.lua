-- Draws the neutral divs and spans as Typst, with the alternative texts that PDF/UA asks for.

local LONG_WORD = 32  -- characters without a place to break; longer ones would leave the page
local ROWS_ON_A_PAGE = 24  -- a table of more rows may break across pages

local function raw(text) return pandoc.RawInline('typst', text) end

local function raw_block(text) return pandoc.RawBlock('typst', text) end

local function quoted(text)
  return '"' .. text:gsub('\\', '\\\\'):gsub('"', '\\"'):gsub('%s+', ' ') .. '"'
end

local function refuse(message, needle)
  error('REFUSED<' .. message .. '>NEAR<' .. (needle or '') .. '>')
end

-- The title div that names.lua and crossref.lua put first (or the caption they put last).
local function take(div, position)
  local inner = div.content[position]
  div.content:remove(position)
  return inner.content[1].content
end

-- Inlines as an argument, then the blocks as the body: #call(arguments, title: [..])[ .. ] <label>
local function call(head, inlines, blocks, label)
  local opening = pandoc.Inlines {raw(head)}
  opening:extend(inlines)
  opening:insert(raw('])['))
  local out = pandoc.Blocks {pandoc.Plain(opening)}
  out:extend(blocks)
  out:insert(raw_block('] ' .. (label ~= '' and '<' .. label .. '>' or '')))
  return out
end

local function rows_of(blocks)
  local rows = 0
  blocks:walk {Table = function(tbl)
    for _, body in ipairs(tbl.bodies) do rows = rows + #body.body end
  end}
  return rows
end

local function float(div)
  local kind = div.classes:includes('tbl') and 'table' or 'image'
  local caption = take(div, #div.content)
  local head = string.format('#float(kind: %s, title: "%s", number: "%s", caption: [',
    kind, div.attributes.title, div.attributes.number)
  local out = call(head, caption, div.content, div.identifier)
  if kind == 'table' and rows_of(div.content) > ROWS_ON_A_PAGE then
    out:insert(1, raw_block('#[#show figure: set block(breakable: true)'))
    out:insert(raw_block(']'))
  end
  return out
end

function Div(div)
  if div.classes:includes('float') then return float(div) end
  if div.classes:includes('theorem') then
    local style = ('def exm exr'):find(div.classes[2], 1, true) and 'normal' or 'italic'
    local head = '#theorem(style: "' .. style .. '", title: ['
    return call(head, take(div, 1), div.content, div.identifier)
  elseif div.classes:includes('proof') then
    local title = take(div, 1)
    return call('#proof(title: [', title, div.content, div.identifier)
  elseif div.classes:includes('callout') then
    local kind = div.classes[2]:sub(#'callout-' + 1)
    return call('#callout(kind: "' .. kind .. '", title: [', take(div, 1), div.content,
      div.identifier)
  elseif div.classes:includes('abstract') then
    return call('#abstract(title: [', pandoc.Inlines {}, div.content, div.identifier)
  elseif div.classes:includes('cell-output') then
    return call('#cell-output(title: [', pandoc.Inlines {}, div.content, div.identifier)
  end
end

-- '$x$' as Typst would be written by pandoc, told what it is to those who cannot see it.
local function equation(math, number)
  local typst = pandoc.write(pandoc.Pandoc {pandoc.Plain {math}}, 'typst'):gsub('%s+$', '')
  local extra = number and (', number: "(' .. number .. ')"') or ''
  return '#equation(' .. quoted(math.text) .. extra .. ', ' .. typst .. ')'
end

function Math(math) return raw(equation(math) .. ';') end

local function numbered_equation(span)
  if not span.classes:includes('equation') then return nil end
  return raw(equation(span.content[1], span.attributes.number) .. ' <' .. span.identifier .. '>'),
    false
end

local function absolute(path)
  if path:match('^/') then return path end
  return pandoc.path.join {pandoc.system.get_working_directory(), path}
end

local function image_call(image)
  local alt = image.attributes['fig-alt'] or image.attributes.alt
  if not alt or alt == '' then
    refuse('the image ' .. image.src .. ' has no alternative text; add fig-alt', image.src)
  end
  local width = (image.attributes.width or ''):match('^[%d.]+%%$')
  return string.format('image(%s, alt: %s%s)', quoted(absolute(image.src)), quoted(alt),
    width and ', width: ' .. width or '')
end

function Image(image) return raw('#box(' .. image_call(image) .. ');') end

-- Typst reads ... and -? as shorthands, which pandoc does not escape.
function Str(str)
  if pandoc.text.len(str.text) > LONG_WORD then return raw('#long-word(' .. quoted(str.text) .. ');') end
  if str.text:find('..', 1, true) or str.text:find('-?', 1, true) then
    return raw('#' .. quoted(str.text) .. ';')
  end
end

-- citeproc has resolved these; pandoc would write Typst's own #cite for them.
function Cite(cite) return cite.content end

function Table(tbl)
  tbl.classes:insert('typst:no-figure')
  return tbl
end

function Header(header)
  if not header.attributes['first-appendix'] then return nil end
  header.attributes['first-appendix'] = nil
  return {raw_block('#set heading(numbering: "A.1")\n#counter(heading).update(0)'), header}
end

-- The template needs the names as Typst strings too, for the PDF's own metadata.
local function plain_authors(meta)
  if not meta.author then return nil end
  meta['author-meta'] = pandoc.List(meta.author):map(function(name)
    return pandoc.Inlines {raw(quoted(pandoc.utils.stringify(name)))}
  end)
  return meta
end

return {
  {Meta = plain_authors},
  {traverse = 'topdown', Span = numbered_equation},
  {Math = Math, Image = Image, Str = Str, Cite = Cite, Table = Table, Header = Header},
  {Div = Div},
}
