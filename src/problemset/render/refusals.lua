-- Refuses what the document's author wrote and what would go wrong silently. Runs before the
-- document's own filters, which may add raw Typst or HTML.

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
