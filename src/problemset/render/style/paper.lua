-- The part of the PDF's look that Typst cannot see. Quarto and the embedded renderer run this
-- filter before any of their own.

local WIDE_TABLE = 95  -- characters of a row; beyond that the names of columns break at their spaces
-- LaTeX's letters: where on a page a figure may go. Any other stands where it is written.
local PLACES = {t = 'top', b = 'bottom', tb = 'auto'}

local floats = pandoc.Blocks {}

local function rows_of(tbl)
  local rows = tbl.head.rows:clone()
  for _, body in ipairs(tbl.bodies) do rows:extend(body.body) end
  return rows
end

-- Characters of the longest row, were all columns as wide as their widest cell.
local function width_of(tbl)
  local widths, total = {}, 0
  for _, row in ipairs(rows_of(tbl)) do
    for column, cell in ipairs(row.cells) do
      local length = pandoc.text.len(pandoc.utils.stringify(cell.contents))
      widths[column] = math.max(widths[column] or 0, length)
    end
  end
  for _, width in pairs(widths) do total = total + width end
  return total
end

-- Typst would take the room for a wide table from its widest column alone.
local function narrowed(tbl)
  for _, row in ipairs(tbl.head.rows) do
    for _, cell in ipairs(row.cells) do
      cell.contents = cell.contents:walk {Space = function() return pandoc.LineBreak() end}
    end
  end
  tbl.attributes['typst:inset'] = '(x: 3.5pt, y: 3.4pt)'
  tbl.attributes['typst:text:size'] = '0.94em'
end

-- pandoc gives percentages to the columns of a table with long lines, and its cells then overlap.
function Table(tbl)
  tbl.colspecs = tbl.colspecs:map(function(spec) return {spec[1], nil} end)
  if FORMAT == 'typst' and width_of(tbl) > WIDE_TABLE then narrowed(tbl) end
  return tbl
end

local function let_float(identifier, letters)
  if FORMAT ~= 'typst' or identifier == '' or not PLACES[letters] then return end
  local rule = string.format('#show <%s>: set figure(placement: %s)', identifier, PLACES[letters])
  floats:insert(pandoc.RawBlock('typst', rule))
end

function Image(image) let_float(image.identifier, image.attributes['fig-pos']) end

-- pandoc gives a figure the label of its image, and the image keeps the rest.
function Figure(figure)
  figure:walk {Image = function(image)
    let_float(figure.identifier, image.attributes['fig-pos'])
  end}
end

function Div(div)
  let_float(div.identifier, div.attributes['fig-pos'])
  if FORMAT ~= 'typst' or not div.classes:includes('proof') then return nil end
  local last = div.content[#div.content]
  if not last or last.t ~= 'Para' then
    last = pandoc.Para {}
    div.content:insert(last)
  end
  last.content:insert(pandoc.RawInline('typst', '#h(1fr)#sym.square.stroked'))
  return div
end

-- A link with the class `page` is followed by the page that it leads to.
function Link(link)
  local target = link.target:match('^#(.+)$')
  if FORMAT ~= 'typst' or not target or not link.classes:includes('page') then return nil end
  local page = string.format('~(p.~#context counter(page).at(<%s>).first())', target)
  return {link, pandoc.RawInline('typst', page)}
end

function Pandoc(doc)
  floats:extend(doc.blocks)
  doc.blocks = floats
  return doc
end
